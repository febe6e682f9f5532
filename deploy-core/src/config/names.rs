//! Rules for names: applications, stages, roles, users, hosts, tasks, variables.

use super::diagnostics::Problem;
use super::reader::{Reader, Text};

/// A name that is safe everywhere: in a path, a shell, a file name, a URL.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

pub(super) fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether `id` is parts of lower case letters, digits and `_`, with colons between them.
pub(super) fn is_task_id(id: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    id.split(':').all(is_part)
}

/// A name to log in with. The rule is OpenSSH's, so that what is written here can stand in its command line.
pub(super) fn is_user(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && !name.ends_with('\\')
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || "'`\"$;&<>|(){}".contains(c))
}

/// A host's name or address, or an alias of SSH's configuration.
pub(super) fn is_host(host: &str) -> bool {
    is_ipv6(host)
        || host.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            && host.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

/// An IPv6 address, perhaps with a zone (`fe80::1%eth0`).
pub(super) fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
    address.parse::<std::net::Ipv6Addr>().is_ok() && is_plain(zone)
}

/// Reads the name of a user.
pub(super) fn user(reader: &Reader<'_>, key: &str) -> Option<Text> {
    let name = reader.line(key)?;
    if is_user(&name) {
        return Some(name);
    }
    let title = format!("`{}` can't be the name of a user", name.text);
    reader.problems.add(Problem::new(title).at(name.span, "expected a name to log in with"));
    None
}

/// Reads the names of roles.
pub(super) fn roles(reader: &Reader<'_>, key: &str) -> Option<Vec<Text>> {
    let roles = reader.one_or_more(key)?;
    for role in roles.iter().filter(|role| !is_plain(role)) {
        let title = format!("`{}` can't be the name of a role", role.text);
        reader.problems.add(Problem::new(title).at(role.span, "expected letters, digits, `_`, `-` and `.`"));
    }
    Some(roles)
}
