//! Names and values as SQL spells them.

use crate::database::adapter::Setting;

/// Settings that are lists of names, quoted one by one where they have to be.
const LISTS: [&str; 4] = ["search_path", "local_preload_libraries", "session_preload_libraries", "temp_tablespaces"];

/// The statement that has sessions in `database` begin with `setting`.
pub(super) fn setting(database: &str, setting: &Setting) -> String {
    let database = identifier(database);
    let (name, value) = setting.setting.split_once('=').unwrap_or((&setting.setting, ""));
    let is_list = LISTS.contains(&&*name.to_lowercase());
    let value = if is_list { value.to_owned() } else { ["'", &value.replace('\'', "''"), "'"].concat() };
    match &*setting.role {
        "" => format!("ALTER DATABASE {database} SET {name} TO {value};"),
        role => format!("ALTER ROLE {} IN DATABASE {database} SET {name} TO {value};", identifier(role)),
    }
}

/// A value of a line that `COPY` reads.
pub(super) fn copy(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// A name in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
