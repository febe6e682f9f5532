//! Where a connection comes from, and what is said when there is none.

use std::fs;
use std::path::Path;

use e2e::Project;
use e2e::postgres::{Cluster, Release, Role, literal};

use super::scene::{NONE, Shop, name};

/// `text` as a part of a URL.
fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn url(shop: &Shop, stage: &str) -> String {
    let (role, port) = (shop.role(stage), shop.cluster(stage).port());
    format!("postgresql://{}:{}@127.0.0.1:{port}/{}", role.name, encoded(&role.password), name(stage))
}

/// A shop whose staging is reached by these settings and no others, after `prepare`.
fn shop_reached_by(settings: impl Fn(&Shop) -> String) -> Shop {
    let mut shop = Shop::new(&["staging", "dev"]);
    shop.fill("staging", 20);
    let settings = settings(&shop);
    shop.project.no_database("staging");
    shop.set("staging", &format!("adapter = \"postgresql\"\n{settings}"));
    shop
}

/// A backup and a restore work, and neither the log nor the output tells the password.
fn works(shop: &Shop) {
    let dump = shop.back_up("staging");
    let before = shop.contents("staging");
    shop.own("staging", "drop table empty_one");
    let output = shop.restore(&dump, "staging").success();
    assert_eq!(before.differences(&shop.contents("staging")), NONE);
    assert!(!output.to_string().contains(&shop.secret()), "{output}");
    shop.is_quiet("staging").unwrap();
}

/// Writes a file in the shared folder of staging's server.
fn share(shop: &Shop, file: &str, text: &str) {
    shop.project.server("staging1").site.write(&format!("shared/{file}"), text);
}

#[test]
fn by_a_url() {
    works(&shop_reached_by(|shop| format!("url = {:?}", url(shop, "staging"))));
}

#[test]
fn by_a_url_that_names_a_socket() {
    works(&shop_reached_by(|shop| {
        let (role, cluster) = (shop.role("staging"), shop.cluster("staging"));
        let host = encoded(cluster.socket_dir().to_str().unwrap());
        let user = format!("{}:{}", role.name, encoded(&role.password));
        format!("url = \"postgres://{user}@{host}:{}/{}\"", cluster.port(), name("staging"))
    }));
}

#[test]
fn by_a_variable_of_the_server() {
    let shop = shop_reached_by(|_| "url_env = \"SHOP_URL\"".to_owned());
    let key = format!("environment=\"SHOP_URL={}\" {}\n", url(&shop, "staging"), shop.project.key().public());
    fs::write(shop.project.sandbox.join("authorized_keys"), key).unwrap();
    works(&shop);
}

#[test]
fn by_a_variable_that_is_not_set() {
    let shop = shop_reached_by(|_| "url_env = \"SHOP_URL\"".to_owned());
    shop.project.xtask("db backup create --stage staging").fails().says("SHOP_URL");
}

#[test]
fn by_a_variable_of_this_machine_where_the_stage_is_local() {
    let mut shop = Shop::new(&["dev"]);
    let url = url(&shop, "dev");
    shop.project.no_database("dev");
    shop.set("dev", "adapter = \"postgresql\"\nurl_env = \"SHOP_URL\"");
    let mut create = shop.project.command(&["db", "backup", "create"]);
    create.env("SHOP_URL", url);
    shop.project.sandbox.run(create).success();
    assert_eq!(shop.backups().len(), 1);
}

#[test]
fn by_an_env_file_in_the_shared_folder() {
    let shop = shop_reached_by(|_| "env_file = \".env\"\nenv_key = \"DATABASE_URL\"".to_owned());
    for line in
        ["DATABASE_URL=URL # the shop", "export DATABASE_URL=\"URL\"", "NOTE='\nDATABASE_URL=x'\nDATABASE_URL: 'URL'"]
    {
        let line = line.replace("URL", "\u{1}").replace("DATABASE_\u{1}", "DATABASE_URL");
        let line = line.replace('\u{1}', &url(&shop, "staging"));
        share(&shop, ".env", &format!("# the shop\nOTHER=1\nNOT_DATABASE_URL=x\n{line}\nLAST=\"a b\"\n"));
        works(&shop);
    }
}

/// What Rails has, with everything that its authors write there.
fn rails(shop: &Shop, extra: &str) -> String {
    let cluster = shop.cluster("staging");
    format!(
        "default: &default\n  adapter: postgresql\n  encoding: unicode\n  pool: 5\n  host: 127.0.0.1\n  port: {}\n\n\
         development:\n  <<: *default\n  database: nowhere\n\n\
         staging:\n  <<: *default\n  database: shop_staging\n  username: staging_app\n{extra}\n\
         production:\n  <<: *default\n  database: elsewhere\n",
        cluster.port()
    )
}

/// A shop of which a release with `config/database.yml` is live on staging.
fn rails_shop(extra: impl Fn(&Shop) -> String) -> Shop {
    let shop = shop_reached_by(|_| "rails = \"config/database.yml\"\nrails_env = \"staging\"".to_owned());
    let yaml = rails(&shop, &extra(&shop));
    shop.project.repo.write("config/database.yml", &yaml).commit("Say where the database is");
    shop.project.xtask("deploy staging").success();
    shop
}

/// `text` as a string of YAML.
fn yaml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn by_what_rails_has() {
    works(&rails_shop(|shop| format!("  password: {}\n", yaml(&shop.password()))));
}

#[test]
fn by_what_rails_has_with_a_variable() {
    let mut shop = rails_shop(|_| String::new());
    let password = literal("pl%in:p@ss#w0rd-s3cret");
    shop.cluster("staging").psql("postgres", &format!("alter role staging_app password {password}"));
    shop.project.stage("default_env = { SHOP_DATABASE_PASSWORD = \"pl%in:p@ss#w0rd-s3cret\" }");
    for erb in [
        "<%= ENV[\"SHOP_DATABASE_PASSWORD\"] %>",
        "<%=ENV['SHOP_DATABASE_PASSWORD']%>",
        "<%= ENV.fetch(\"SHOP_DATABASE_PASSWORD\") %>",
        "<%= ENV.fetch('SHOP_DATABASE_PASSWORD', 'none') %>",
        "<%= ENV.fetch('SHOP_DATABASE_PASSWORD') { 'none' } %>",
        "<%= ENV.values_at('NONE', 'SHOP_DATABASE_PASSWORD').compact.first.inspect %>",
    ] {
        let yaml = rails(&shop, &format!("  password: {erb}\n"));
        shop.project.server("staging1").site.write("current/config/database.yml", &yaml);
        let output = shop.project.xtask("db backup create --stage staging").success();
        assert!(!output.to_string().contains("w0rd-s3cret"), "{output}");
    }
}

#[test]
fn by_what_rails_has_as_a_url() {
    works(&rails_shop(|shop| format!("  url: {}\n", url(shop, "staging"))));
}

#[test]
fn rails_without_the_stages_section_is_said() {
    let mut shop = rails_shop(|shop| format!("  password: {}\n", yaml(&shop.password())));
    shop.set("staging", "rails_env = \"review\"");
    shop.project.xtask("db backup create --stage staging").fails().says("review").says("database.yml");
}

#[test]
fn by_the_socket_with_a_password() {
    works(&shop_reached_by(|shop| {
        let cluster = shop.cluster("staging");
        let place = format!("host = {:?}\nport = {}", cluster.socket_dir(), cluster.port());
        format!("{place}\nuser = \"staging_app\"\npassword = {:?}\nname = \"shop_staging\"", shop.password())
    }));
}

/// An ordinary user whose name is a role's, as PostgreSQL's packages have it.
#[test]
fn by_who_one_is() {
    let mut project = Project::as_ordinary_user(&[("staging1", "app db")]);
    let user = project.server("staging1").sshd.user();
    let cluster = match project.user() {
        Some(user) => Cluster::start_as(&project.sandbox, "staging", Release::installed(), Some(user.clone())),
        None => Cluster::start(&project.sandbox, "staging"),
    };
    let role = cluster.role(&user, "never asked for", true);
    cluster.create("shop", &role);
    cluster.psql_as(&role, "shop", "create table things (id int primary key); insert into things values (1), (2)");
    cluster.authenticate(&format!("local all {user} peer\nhost all all 127.0.0.1/32 reject"));
    let place = format!("host = {:?}\nport = {}", cluster.socket_dir(), cluster.port());
    project.database("staging", &format!("adapter = \"postgresql\"\n{place}\nname = \"shop\"\nuser = {user:?}"));
    let output = project.xtask("db backup create --stage staging").success();
    let file = output.stdout().trim().rsplit('/').next().unwrap().to_owned();
    let dump = project.folder().join("backups").join(file);
    cluster.psql("shop", "delete from things");
    let restore = ["db", "backup", "restore", "--file", dump.to_str().unwrap(), "--stage", "staging", "--yes"];
    project.xtask_with(&restore).success();
    assert_eq!(cluster.psql("shop", "select count(*) from things"), "2");
}

/// A backup and a restore fail for the same reason, in words, and change nothing.
fn says_why(shop: &Shop, words: &[&str]) {
    let dump = shop.project.sandbox.join("some.pgdump");
    for line in [
        "db backup create --stage staging".to_owned(),
        format!("db backup restore --file {} --stage staging --yes", dump.display()),
    ] {
        let mut output = shop.project.xtask(&line).fails();
        for word in words {
            output = output.says(word);
        }
        assert!(!output.to_string().contains(&shop.secret()), "{output}");
    }
}

/// A shop whose staging has something, and a good dump of it.
fn shop_with_dump() -> Shop {
    let shop = Shop::new(&["staging"]);
    shop.fill("staging", 10);
    let dump = shop.back_up("staging");
    fs::copy(&dump, shop.project.sandbox.join("some.pgdump")).unwrap();
    shop
}

#[test]
fn a_wrong_password_is_called_that() {
    let mut shop = shop_with_dump();
    let before = shop.before("staging");
    shop.set("staging", "password = \"another\"");
    says_why(&shop, &["password", "staging_app"]);
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn a_missing_database_is_named() {
    let mut shop = shop_with_dump();
    shop.set("staging", "name = \"shop_nowhere\"");
    shop.project.xtask("db backup create --stage staging").fails().says("shop_nowhere");
}

#[test]
fn a_server_that_is_down_is_said() {
    let mut shop = shop_with_dump();
    shop.cluster_mut("staging").stop();
    says_why(&shop, &["127.0.0.1"]);
    shop.cluster_mut("staging").restart();
    let _ = shop.back_up("staging");
}

#[test]
fn a_role_that_may_not_read_a_table_is_told_which() {
    let mut shop = shop_with_dump();
    let reader = Role { name: "reader".to_owned(), password: shop.password() };
    shop.cluster("staging").role(&reader.name, &reader.password, false);
    shop.set("staging", "user = \"reader\"");
    shop.project.xtask("db backup create --stage staging").fails().says("permission denied");
    let before = shop.before("staging");
    let dump = shop.project.sandbox.join("some.pgdump");
    let _ = shop.restore(&dump, "staging").fails();
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn missing_programs_are_named_with_what_installs_them() {
    let mut shop = shop_with_dump();
    let before = shop.before("staging");
    let tools = shop.tools("staging");
    tools.remove("pg_dump");
    shop.project.xtask("db backup create --stage staging").fails().says("pg_dump").says("bin_dir");
    tools.remove("pg_restore");
    shop.restore(&shop.project.sandbox.join("some.pgdump"), "staging").fails().says("pg_restore").says("bin_dir");
    shop.is_as("staging", &before).unwrap();
}

#[test]
fn a_stage_without_a_database_is_told_what_to_write() {
    let shop = shop_with_dump();
    shop.project.xtask("db backup create --stage dev").fails().says("[stages.dev.database]");
    shop.project.xtask("db backup create --stage nowhere").fails().says("nowhere");
}

#[test]
fn settings_for_all_stages_stand_once() {
    let mut shop = Shop::new(&["staging", "dev"]);
    let (staging, dev) = (shop.cluster("staging").port(), shop.cluster("dev").port());
    for (stage, port) in [("staging", staging), ("dev", dev)] {
        shop.project.no_database(stage);
        shop.set(stage, &format!("port = {port}\nname = \"shop_{stage}\"\nuser = \"{stage}_app\""));
    }
    let all = format!("[database]\nadapter = \"postgresql\"\nhost = \"127.0.0.1\"\npassword = {:?}", shop.password());
    shop.project.tables(&all);
    for stage in ["staging", "dev"] {
        assert!(Path::exists(&shop.back_up(stage)));
    }
}
