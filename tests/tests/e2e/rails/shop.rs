//! A real Rails application on real servers: Apache, Passenger, PostgreSQL.

use e2e::postgres::{Cluster, Release, Role};
use e2e::{Apache, Output, Project, rails};

use super::page::Page;

/// A project whose repository is the Rails application, with a web server on each server of role `web`, and a database.
///
/// Everything runs as one ordinary user, who deploys too.
pub(super) struct Shop {
    webs: Vec<(String, Apache)>,
    pub(super) database: Cluster,
    role: Role,
    pub(super) project: Project,
}

/// The database and its owner.
const NAME: &str = "shop";
const PASSWORD: &str = "open sesame";

/// One server that does everything.
pub(super) const ALONE: [(&str, &str); 1] = [("app1", "app web db")];

impl Shop {
    /// Servers with these roles that are ready for a first deploy of edition `first`.
    pub(super) fn on(servers: &[(&str, &str)]) -> Shop {
        let mut project = Project::as_ordinary_user(servers);
        rails::create(&project.sandbox, &project.repo);
        project.repo.commit("Open the shop");
        let gems = project.sandbox.join("gems");
        rails::install_gems(&project.sandbox, &gems);
        for site in project.sites() {
            site.make_folder("shared");
            std::os::unix::fs::symlink(&gems, site.join("shared/bundle")).expect("a link can be made");
        }
        let database = Cluster::start_as(&project.sandbox, "shop", Release::installed(), project.user().cloned());
        let role = database.role(NAME, PASSWORD, true);
        database.create(NAME, &role);
        let environment = environment(&database);
        let webs = servers.iter().filter(|(_, roles)| roles.contains("web"));
        let webs = webs.map(|(name, _)| ((*name).to_owned(), web(&mut project, name, &environment))).collect();
        let variables: String = environment.iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect();
        project.tables(&format!("[default_env]\n{variables}"));
        project.tables(RECIPES);
        Shop { webs, database, role, project }
    }

    /// Adds a stage `production`, whose database is on the same cluster, and is yet empty; the name of that. The other
    /// stage's is what the application says.
    pub(super) fn add_production(&mut self) -> String {
        let name = format!("{NAME}_production");
        self.database.create(&name, &self.role);
        let port = self.database.port();
        self.project.add_server_of("production", "prod1", "db");
        self.project.database(
            "production",
            &format!("host = \"127.0.0.1\"\nport = {port}\nuser = {NAME:?}\npassword = {PASSWORD:?}\nname = {name:?}"),
        );
        self.project.database("staging", "rails = \"config/database.yml\"");
        name
    }

    /// Who owns the databases.
    pub(super) fn role(&self) -> &Role {
        &self.role
    }

    /// The web server on the server called `name`.
    #[track_caller]
    pub(super) fn web(&self, name: &str) -> &Apache {
        &self.webs.iter().find(|(own, _)| own == name).expect("the server has a web server").1
    }

    /// What a visitor of the server called `name` gets, of one piece.
    #[track_caller]
    pub(super) fn visit(&self, name: &str) -> Page {
        let port = self.web(name).port();
        let page = Page::of(port);
        page.is_of_one_piece(port).unwrap_or_else(|error| panic!("{error}"));
        page
    }

    /// Commits `edition`, with the changes of these names.
    pub(super) fn commit(&self, edition: &str, changes: &[&str]) -> String {
        rails::edit(&self.project.repo, edition);
        for change in changes {
            rails::change(&self.project.repo, change);
        }
        self.project.repo.commit(&format!("Publish the edition {edition}"))
    }

    /// Runs `cargo xtask LINE`.
    #[must_use = "either snapshot the output or assert the exit status"]
    #[track_caller]
    pub(super) fn xtask(&self, line: &str) -> Output {
        self.project.xtask(line)
    }
}

/// Starts a web server beside an SSH server, whose sessions find its Passenger.
fn web(project: &mut Project, name: &str, environment: &[(&str, String)]) -> Apache {
    let apache = Apache::start(&project.sandbox, name, &project.server(name).site, environment);
    let registry = apache.registry().display().to_string();
    let server = project.server_mut(name);
    server.sshd.set_env("PASSENGER_INSTANCE_REGISTRY_DIR", &registry);
    // What a health check takes for port 80 of its server is this web server.
    server.sshd.set_env("http_proxy", &format!("http://127.0.0.1:{}", apache.port()));
    apache
}

/// What the application has to know, in tasks and behind the web server.
fn environment(database: &Cluster) -> Vec<(&'static str, String)> {
    vec![
        ("SECRET_KEY_BASE", "not very secret".to_owned()),
        ("DATABASE_HOST", "127.0.0.1".to_owned()),
        ("DATABASE_PORT", database.port().to_string()),
        ("DATABASE_NAME", NAME.to_owned()),
        ("DATABASE_USER", NAME.to_owned()),
        ("DATABASE_PASSWORD", PASSWORD.to_owned()),
    ]
}

/// The bundle as it comes, with a check that asks soon, so that tests don't wait.
const RECIPES: &str = r#"
[recipes.rails]

[recipes.passenger]
health_url = "/up"
health_retries = 1
health_wait = 0
wait = 0
"#;
