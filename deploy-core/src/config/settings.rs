//! Reads the settings that hold for a whole stage.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::address::Address;
use super::diagnostics::Problem;
use super::reader::{Reader, Text};
use super::settings_reader::{SettingsReader, read_env};
use super::value::{Table, Value};
use super::{Fate, Git, GitStrategy, HostKeyPolicy, Settings, Ssh, SshConfigFile, keys, names, paths};
use crate::secret;

/// What becomes of a release, in words.
const FATES: &[(&str, Fate)] = &[("keep", Fate::Keep), ("archive", Fate::Archive), ("remove", Fate::Remove)];

impl<'a> SettingsReader<'a> {
    /// Everything, with defaults. What is missing without a default, or wrong, is empty.
    pub(super) fn read(&self) -> Settings {
        let reader = &self.reader;
        let (linked_files, linked_dirs) = (self.linked("linked_files"), self.linked("linked_dirs"));
        let optional_linked_files = self.linked("optional_linked_files");
        let files = [linked_files.as_slice(), optional_linked_files.as_slice()].concat();
        paths::check_linked(&files, &linked_dirs, reader.problems);
        // Each server reads these with its own layer; here they are checked in a layer that servers may hide.
        reader.table("properties");
        reader.line("deploy_to");
        let default_env = read_env(reader, "default_env");
        Settings {
            application: self.application().unwrap_or_default(),
            repo_url: self.repo_url().unwrap_or_default(),
            repo_tree: self.path("repo_tree").and_then(|path| self.relative("repo_tree", &path)),
            branch: self.argument("branch").map_or_else(|| "HEAD".to_owned(), |branch| branch.text),
            keep_releases: reader.count("keep_releases").unwrap_or(5),
            linked_files: linked_files.into_iter().map(|path| path.text).collect(),
            optional_linked_files: optional_linked_files.into_iter().map(|path| path.text).collect(),
            linked_dirs: linked_dirs.into_iter().map(|path| path.text).collect(),
            made_paths: Vec::new(),
            command_prefix: self.command_prefix(),
            tmp_dir: self.tmp_dir().unwrap_or_else(|| "/tmp".to_owned()),
            umask: self.umask(),
            local_user: reader.line("local_user").map_or_else(|| self.request.one_line_user(), |user| user.text),
            failed_releases: reader.choice("failed_releases", FATES).unwrap_or(Fate::Remove),
            rolled_back_releases: reader.choice("rolled_back_releases", FATES).unwrap_or(Fate::Keep),
            git: self.git(),
            ssh: self.ssh(),
            database: self.database(default_env.get("RAILS_ENV").map(String::as_str)),
            default_env,
        }
    }

    /// The application's name, if it is a good one.
    pub(super) fn application(&self) -> Option<String> {
        let name = self.reader.line("application")?;
        names::is_plain(&name).then(|| name.text.clone()).or_else(|| {
            self.problems().add(
                Problem::new(format!("`{}` can't be the name of an application", name.text))
                    .at(name.span, "expected letters, digits, `_`, `-` and `.`, beginning with a letter or digit"),
            );
            None
        })
    }

    /// A text that becomes an argument of git: it can't begin with a dash, which would make it an option.
    fn argument(&self, key: &str) -> Option<Text> {
        let text = self.reader.line(key)?;
        if text.starts_with('-') {
            self.problems()
                .add(Problem::new(format!("`{key}` begins with `-`")).at(text.span, "git would take it for an option"));
            return None;
        }
        Some(text)
    }

    /// Where the repository is. What it says about logging in has to be such that git needs no secret in its arguments.
    fn repo_url(&self) -> Option<String> {
        let text = self.argument("repo_url")?;
        let url = self.expand(&text)?;
        let is_web = ["http://", "https://"].iter().any(|web| starts_with(&url, web));
        let rest = if is_web { url.split_once('@').map_or(url.as_str(), |(_, rest)| rest) } else { url.as_str() };
        if secret::find(rest.as_bytes()).is_empty() || is_web && !rest.contains('?') {
            return Some(url);
        }
        self.problems().add(
            Problem::new("`repo_url` has a secret that git would show in its arguments")
                .at(text.span, "any user of this machine could read it there")
                .help("for the web write `https://user:password@host/…`; for SSH put a key into the agent"),
        );
        None
    }

    fn linked(&self, key: &str) -> Vec<Text> {
        let paths = self.reader.lines(key).unwrap_or_default();
        let expanded = paths.iter().filter_map(|path| self.names.expand(path, self.problems()));
        expanded.filter_map(|path| paths::relative(key, &path, self.problems())).collect()
    }

    fn tmp_dir(&self) -> Option<String> {
        self.path("tmp_dir").and_then(|path| paths::absolute("tmp_dir", &path, self.problems()))
    }

    /// `"0022"` or `0o022`. A number without `0o` would be decimal, which nobody means.
    fn umask(&self) -> Option<u32> {
        let node = self.reader.node("umask")?;
        let written = self.problems().sources().text(node.span);
        let digits = match &node.value {
            Value::String(text) => text.as_str(),
            Value::Integer(_) => written.strip_prefix("0o").unwrap_or("decimal"),
            _ => return self.reader.mismatch("umask", node, "a string such as \"0022\""),
        };
        let umask = u32::from_str_radix(digits, 8).ok().filter(|umask| *umask <= 0o777);
        if umask.is_none() {
            let label = "expected octal digits such as \"0022\", up to \"0777\"";
            self.problems().add(Problem::new("`umask` is not an octal number").at(node.span, label));
        }
        umask
    }

    /// `rake = "bundle exec"` or `rake = ["rbenv exec", "bundle exec"]`
    fn command_prefix(&self) -> BTreeMap<String, Vec<String>> {
        let Some(reader) = self.reader.table("command_prefix") else { return BTreeMap::new() };
        let read = |program: &str| Some(reader.one_or_more(program)?.into_iter().map(|prefix| prefix.text).collect());
        reader.table.keys().filter_map(|program| Some((program.to_owned(), read(program)?))).collect()
    }

    fn git(&self) -> Git {
        let empty = Table::default();
        let reader = self.reader.table("git").unwrap_or(Reader::new(&empty, self.problems()));
        reader.check_keys(&[keys::GIT]);
        let strategies = [("push", GitStrategy::Push), ("fetch", GitStrategy::Fetch)];
        Git {
            strategy: reader.choice("strategy", &strategies).unwrap_or(GitStrategy::Push),
            shallow: reader.boolean("shallow").unwrap_or(false),
            verify_commit: reader.boolean("verify_commit").unwrap_or(false),
            max_fetches: reader.count("max_fetches").unwrap_or(10),
            ignore_submodules: reader.boolean("ignore_submodules").unwrap_or(false),
            ignore_lfs: reader.boolean("ignore_lfs").unwrap_or(false),
        }
    }

    fn ssh(&self) -> Ssh {
        let Some(reader) = self.reader.table("ssh") else { return Ssh::default() };
        reader.check_keys(&[keys::SSH]);
        let policies =
            [("strict", HostKeyPolicy::Strict), ("accept-new", HostKeyPolicy::AcceptNew), ("ask", HostKeyPolicy::Ask)];
        Ssh {
            user: names::user(&reader, "user").map(|user| user.text),
            port: reader.port("port"),
            identity_files: self.local_files(&reader, "identity_files"),
            identities_only: reader.boolean("identities_only"),
            config_file: self.ssh_config_file(&reader),
            known_hosts_files: self.local_files(&reader, "known_hosts_files"),
            host_key_policy: reader.choice("host_key_policy", &policies).unwrap_or_default(),
            proxy_jump: proxy_jump(&reader),
            forward_agent: reader.boolean("forward_agent"),
            connect_timeout: reader.some_time("connect_timeout"),
            keepalive_interval: reader.duration("keepalive_interval"),
            max_connections: reader.count("max_connections"),
        }
    }

    fn ssh_config_file(&self, reader: &Reader<'_>) -> SshConfigFile {
        match reader.line("config_file") {
            None => SshConfigFile::Default,
            Some(text) if &*text == "none" => SshConfigFile::None,
            Some(text) => self.local_file(&text).map_or(SshConfigFile::Default, SshConfigFile::File),
        }
    }

    fn local_files(&self, reader: &Reader<'_>, key: &str) -> Vec<PathBuf> {
        reader.one_or_more(key).unwrap_or_default().iter().filter_map(|text| self.local_file(text)).collect()
    }
}

/// Whether `text` starts with `start`, in letters of any case.
fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Hosts with commas between them, or "none".
fn proxy_jump(reader: &Reader<'_>) -> Option<String> {
    let jump = reader.line("proxy_jump")?;
    let is_hop = |hop: &str| Address::parse(hop.strip_prefix("ssh://").unwrap_or(hop)).is_some();
    if &*jump != "none" && !jump.split(',').all(is_hop) {
        let label = "expected `user@host:port`, several of them with commas between, or `none`";
        reader.problems.add(Problem::new("`proxy_jump` is not a list of hosts").at(jump.span, label));
        return None;
    }
    Some(jump.text)
}
