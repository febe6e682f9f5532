//! Against Active Record itself.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::database::postgres::Postgres;

/// Files of an application, and the variables beside them.
#[derive(Clone, Default)]
struct Case {
    files: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Case {
    fn of(database_yml: &str) -> Case {
        Case { files: vec![(FILE, database_yml.to_owned())], variables: Vec::new() }
    }

    fn beside(&self, variables: &[(&'static str, &'static str)]) -> Case {
        Case { variables: variables.to_vec(), ..self.clone() }
    }

    fn with(mut self, file: &'static str, text: &str) -> Case {
        self.files.push((file, text.to_owned()));
        self
    }
}

/// What both say of each case.
fn both(cases: &[Case]) -> Vec<(Answer, Value)> {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<_> = cases
        .iter()
        .map(|case| {
            let variables: BTreeMap<_, _> = case.variables.iter().copied().collect();
            let files: BTreeMap<_, _> = case.files.iter().cloned().collect();
            json!({ "files": files, "variables": variables, "environment": "production" })
        })
        .collect();
    let input = json!({ "folder": folder.path(), "plain": PLAIN, "cases": all });
    let mut ruby = Command::new("ruby")
        .args(["-E", "UTF-8", "-W0", "-e", include_str!("oracle.rb")])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(ruby.stdin.take().unwrap(), &input).unwrap();
    let output = ruby.wait_with_output().unwrap();
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answers = |whose: &str| read[whose].as_array().unwrap().clone();
    let ours = answers("ours").into_iter().map(|answer| serde_json::from_value(answer).unwrap());
    ours.zip(answers("theirs")).collect()
}

/// Fails where both don't say the same; returns how often Active Record said what libpq is to be handed.
fn agree(cases: &[Case]) -> usize {
    let mut settled = 0;
    for (case, (ours, theirs)) in cases.iter().zip(both(cases)) {
        let about = format!("{:?}\n{:?}\ntheirs: {theirs}", case.files, case.variables);
        match ours {
            Answer::Settings(settings) => {
                assert_eq!(settings.get("adapter").map(String::as_str), theirs["adapter"].as_str(), "{about}");
                let theirs: BTreeMap<String, String> =
                    serde_json::from_value(theirs["settings"].clone()).unwrap_or_else(|_| panic!("{about}"));
                // Sessions of ours have names of their own.
                let is_handed_on = |name: &str, value: &str| !value.is_empty() && name != "application_name";
                let theirs = theirs.into_iter().filter(|(name, value)| is_handed_on(name, value)).collect();
                assert_eq!(Postgres::told(&settings).unwrap(), theirs, "{about}");
                settled += 1;
            }
            Answer::Refused(why) => assert!(theirs["refused"].is_string(), "{why}\n{about}"),
            Answer::Ask(why) => panic!("{why}\n{about}"),
        }
    }
    settled
}

/// Files of every make.
const FILES: [&str; 15] = [
    "production:\n  adapter: postgresql\n  database: flat\n  username: file\n  password: filesecret\n  host: file.example\n  port: 5433\n",
    "default: &default\n  adapter: postgresql\n  encoding: unicode\n  pool: <%= ENV.fetch('THREADS') { 5 } %>\nproduction:\n  <<: *default\n  database: merged\n  sslmode: require\n",
    "production:\n  primary:\n    adapter: postgresql\n    database: first\n  animals:\n    adapter: postgresql\n    database: second\n",
    "production:\n  animals:\n    adapter: postgresql\n    database: second\n  primary:\n    adapter: postgresql\n    database: first\n    username: shop\n",
    "production:\n  animals:\n    adapter: postgresql\n    database: only\n",
    "production:\n  primary_replica:\n    adapter: postgresql\n    database: shop\n    host: replica\n    replica: true\n  shop:\n    adapter: postgresql\n    database: shop\n    host: writer\n",
    "production:\n  primary:\n    adapter: postgresql\n    database: shop\n    host: writer\n  primary_replica:\n    adapter: postgresql\n    database: shop\n    host: replica\n    replica: true\n",
    "production:\n  url: postgresql://u:p@h:5444/by_url?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem\n  database: sibling\n  username: sibling\n  connect_timeout: 7\n  host: sibling\n",
    "production: postgresql://u:p@h/by_text?connect_timeout=3\n",
    "production: {}\n",
    "production:\n  adapter: postgresql\n  host: a,b,c\n  port: 1,2,3\n  database: many\n  target_session_attrs: read-write\n  user: libpq\n  service: shop\n  options: '-c search_path=shop'\n",
    "production:\n  adapter: postgis\n  host: /var/run/postgresql\n  dbname: socket\n  socket: /tmp/none\n  password: 1234\n  keepalives: 0\n  gssencmode: disable\n  application_name: shop\n",
    "shared:\n  adapter: postgresql\n  sslmode: require\nproduction:\n  database: shop\n  sslmode: prefer\n",
    "test:\n  adapter: postgresql\n  database: elsewhere\n",
    "# <%= 'ünïcöde' %>\nproduction:\n  adapter: postgresql\n  database: größe\n  password: \"<%= 'pä' + 'ss' %>\"\n",
];

/// Variables beside them.
const URLS: [&str; 13] = [
    "postgresql://env:secret@env.example:5555/by_env",
    "postgres:///by_env",
    "postgres://env.example",
    "postgresql://u%40x:p%2Fw%3F%25@h/na%20me",
    "postgresql://[::1]:5433/six?sslmode=disable",
    "postgresql://env.example/by_env?pool=5&options=-c%20a%3Db&connect_timeout=2&sslmode=verify-ca&sslrootcert=/ca",
    "postgis://h/n?service=x&keepalives_idle=1",
    "postgresql://a:1,b:2/many",
    "postgresql://%2Fvar%2Frun%2Fpostgresql/socket",
    "postgresql://u:p@h/n?a",
    "mysql2://h/n",
    "by_name",
    "",
];

#[test]
fn every_file_with_every_variable_beside_it_leads_where_active_record_goes() {
    let empty_url = Case::of("production:\n  adapter: postgresql\n  database: x\n  url: <%= ENV['NONE'] %>\n");
    let mut cases = vec![empty_url];
    for file in FILES.iter().map(|file| Case::of(file)).chain([Case::default()]) {
        cases.push(file.clone());
        for (number, url) in URLS.into_iter().enumerate() {
            cases.push(file.beside(&[("DATABASE_URL", url)]));
            if number < 4 {
                cases.push(file.beside(&[("PRIMARY_DATABASE_URL", url)]));
                cases.push(file.beside(&[("ANIMALS_DATABASE_URL", url)]));
            }
        }
        let all = ["DATABASE_URL", "PRIMARY_DATABASE_URL", "SHOP_DATABASE_URL"].into_iter().zip(URLS);
        cases.push(file.beside(&all.collect::<Vec<_>>()));
    }
    let settled = agree(&cases);
    assert!(settled > cases.len() / 2, "{settled} of {}", cases.len());
}

/// Settings, and a password in them.
const FLAT: &str = "production:\n  adapter: postgresql\n  database: shop\n  password: hunter2\n";

#[test]
fn what_only_the_application_knows_is_asked_of_it() {
    let flat = Case::of(FLAT);
    let erb = |text: &str| Case::of(&format!("{FLAT}  host: <%= {text} %>\n"));
    let url = |url| flat.beside(&[("DATABASE_URL", url)]);
    let cases = [
        (erb("Rails.root"), "config/database.yml:5: NameError Rails"),
        (erb("Rails.application.credentials.db"), "config/database.yml:5: NameError Rails"),
        (erb("'hunter2'.no_such_method"), "config/database.yml:5: NoMethodError no_such_method"),
        (erb("ENV.fetch('NO_SUCH_VARIABLE')"), "config/database.yml:5: KeyError NO_SUCH_VARIABLE"),
        (erb("require 'no/such/file'"), "config/database.yml:5: LoadError no/such/file"),
        (erb("File.read('/no/such/file')"), "config/database.yml:5: Errno::ENOENT"),
        (
            flat.clone().with("Gemfile.lock", "DEPENDENCIES\n  dotenv-rails\n").with(".env", "A=1"),
            "the gem dotenv-rails",
        ),
        (url("postgresql:///shop?host=/run/postgresql"), "`host` behind the `?` of DATABASE_URL"),
        (url("postgresql://h/shop?username=x"), "`username`"),
        (Case::of(&format!("shared:\n  sslmode: require\n{}", FILES[2])), "`shared`"),
        (Case::of(&format!("{FLAT}  url:\n")).beside(&[("DATABASE_URL", "postgresql://h/n")]), "an empty `url`"),
    ];
    let asked: Vec<_> = cases.iter().map(|(case, _)| case.clone()).collect();
    for ((_, expected), (ours, _)) in cases.iter().zip(both(&asked)) {
        let Answer::Ask(why) = ours else { panic!("{expected}: not asked") };
        assert!(why.contains(expected) && !why.contains("hunter2") && !why.contains('\n'), "{why}");
    }
}

#[test]
fn what_is_wrong_is_one_line_that_shows_no_value() {
    let flat = Case::of(FLAT);
    let old = "    activerecord (6.0.3)\n";
    let cases = [
        (Case::of(&format!("{FLAT}  host: <%= 'hunter2' + %>\n")), "config/database.yml:"),
        (Case::of("production:\n  a: [hunter2\n"), "config/database.yml:"),
        (Case::of("production:\n\thunter2\n"), "config/database.yml:2:"),
        (Case::of("production: *hunter\n"), "not understood as YAML"),
        (Case::of("hunter2"), "config/database.yml has no sections"),
        (Case::of("production:\n"), "the section `production` of config/database.yml has no settings"),
        (Case::of("production: {}\n"), "the section `production` of config/database.yml is empty"),
        (Case::of("production: hunter2\n"), "neither a URL nor settings"),
        (Case::of("test: {}\n"), "config/database.yml has no section `production`; it has test"),
        (Case::of("production:\n  a:\n    replica: true\n    adapter: postgresql\n"), "nothing but replicas"),
        (Case::default(), "no variable DATABASE_URL"),
        (flat.beside(&[("DATABASE_URL", "")]), "the URL in DATABASE_URL is empty"),
        (flat.beside(&[("DATABASE_URL", "postgresql://u:hunter2@a,b/n")]), "the URL in DATABASE_URL is none"),
        (
            flat.clone().with("Gemfile.lock", old).beside(&[("DATABASE_URL", "x:y")]),
            "Active Record 6.0 takes DATABASE_URL",
        ),
    ];
    let refused: Vec<_> = cases.iter().map(|(case, _)| case.clone()).collect();
    for ((case, expected), (ours, theirs)) in cases.iter().zip(both(&refused)) {
        let Answer::Refused(why) = ours else { panic!("{expected}: not refused") };
        assert!(why.contains(expected) && !why.contains("hunter2") && !why.contains('\n'), "{why}");
        assert!(theirs["refused"].is_string() || case.files.len() > 1, "{expected}: {theirs}");
    }
}

/// What runs on a server whose locale is none.
fn under_no_locale(folder: &Path, mut program: Command) -> std::process::Output {
    program.current_dir(folder).env("LANG", "C").env("RAILS_ENV", "production").env_remove("RUBYOPT").output().unwrap()
}

#[test]
fn texts_are_in_utf_8_whatever_the_locale_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    let read = |text: &[u8]| -> Answer {
        fs::write(folder.path().join(FILE), text).unwrap();
        let mut ruby = Command::new("ruby");
        ruby.args(["-E", "UTF-8", "-e", PLAIN, FILE, "production"]).env("LC_ALL", "C.UTF-8").env("OWN", "ö");
        serde_json::from_slice(&under_no_locale(folder.path(), ruby).stdout).unwrap()
    };
    let text = format!("{FLAT}  # ü\n  host: <%= 'ä' + ENV['OWN'] %><% puts 'noise' %>\n");
    let Answer::Settings(settings) = read(text.as_bytes()) else { panic!("no settings") };
    assert_eq!(settings["host"], "äö");
    let Answer::Refused(why) = read(b"production:\n  password: p\xe4ss\n") else { panic!("not refused") };
    assert_eq!(why, "config/database.yml is not in UTF-8");
}

/// An application that talks, and says only itself where its database is.
const APPLICATION_RB: &str = r#"
require "rails"
require "active_record/railtie"
puts "noise of the application"
class Shop < Rails::Application
  config.load_defaults Rails.version[/\d+\.\d+/]
  config.eager_load = false
  config.secret_key_base = "none"
end
"#;

#[test]
fn an_application_answers_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::create_dir(folder.path().join("log")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("Rakefile", "require_relative 'config/application'\nRails.application.load_tasks\n");
    write("config/application.rb", APPLICATION_RB);
    write("config/environment.rb", "require_relative 'application'\nRails.application.initialize!\n");
    write(
        FILE,
        "production:\n  copy:\n    adapter: postgresql\n    database: copy\n    replica: true\n  shop:\n    adapter: postgresql\n    port: 5433\n    database: <%= Rails.application.class.name.downcase %>\n",
    );
    let ask = || {
        let mut rake = Command::new("rake");
        rake.args(["-E", "eval ENV.fetch('XTASK_DATABASE')", "xtask:database"]).env("XTASK_DATABASE", APPLICATION);
        under_no_locale(folder.path(), rake)
    };
    let output = ask();
    let Ok(Answer::Settings(settings)) = serde_json::from_slice(&output.stdout) else { panic!("{output:?}") };
    assert_eq!((settings["database"].as_str(), settings["port"].as_str()), ("shop", "5433"));
    write(FILE, "production:\n  database: <%= ENV.fetch('NO_SUCH_VARIABLE') %>\n");
    let output = ask();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    let last = String::from_utf8(output.stderr).unwrap().lines().last().unwrap_or_default().to_owned();
    assert!(last.contains("NO_SUCH_VARIABLE"), "{last}");
}
