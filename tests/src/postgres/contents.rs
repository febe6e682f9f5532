//! What a database holds, and how two differ.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::dump;

/// Everything in a database but who owns it and who may use it: for each object of the schema its definition, for each
/// table the number of its rows and a checksum of them, the state of each sequence, a checksum of each large object.
///
/// It is found out with psql and `pg_dump --schema-only` as the superuser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    entries: BTreeMap<String, String>,
}

/// How the database `b_name` of `b` differs from `a_name` of `a`, a line for each object; nothing if it doesn't.
#[must_use = "what differs has to be looked at"]
pub fn compare(a: &Cluster, a_name: &str, b: &Cluster, b_name: &str) -> Vec<String> {
    Contents::of(a, a_name).differences(&Contents::of(b, b_name))
}

impl Contents {
    /// What `database` holds now.
    #[track_caller]
    pub fn of(cluster: &Cluster, database: &str) -> Contents {
        let mut entries = dump::definitions(cluster, database);
        for line in cluster.psql(database, STATE).lines() {
            let (name, state) = line.split_once(SEPARATOR).expect("a name and a state");
            entries.insert(name.to_owned(), state.replace(SEPARATOR, " "));
        }
        Contents { entries }
    }

    /// How `other` differs, a line for each object.
    #[must_use = "what differs has to be looked at"]
    pub fn differences(&self, other: &Contents) -> Vec<String> {
        let lost = self.entries.keys().filter(|name| !other.entries.contains_key(*name));
        let new = other.entries.keys().filter(|name| !self.entries.contains_key(*name));
        let both = self.entries.iter().filter_map(|(name, old)| Some((name, old, other.entries.get(name)?)));
        let changed = both.filter(|(_, old, new)| old != new);
        lost.map(|name| format!("{name}: missing"))
            .chain(new.map(|name| format!("{name}: new")))
            .chain(changed.map(|(name, old, new)| format!("{name}: {}", change(old, new))))
            .collect()
    }

    /// How many objects of this kind it has: `TABLE`, `INDEX`, `rows of`, `sequence`, `large object`.
    pub fn count(&self, kind: &str) -> usize {
        self.entries.keys().filter(|name| name.starts_with(&format!("{kind} "))).count()
    }
}

/// The first line that differs.
fn change(old: &str, new: &str) -> String {
    let ends =
        |text: &str| text.lines().map(str::to_owned).chain(std::iter::repeat(String::new())).take(4096).collect();
    let (old, new): (Vec<String>, Vec<String>) = (ends(old), ends(new));
    let first = old.iter().zip(&new).find(|(old, new)| old != new);
    first.map_or("somewhere far down".to_owned(), |(old, new)| format!("was `{old}`, is `{new}`"))
}

/// Between a name, which may contain anything else, and what is said of it.
const SEPARATOR: char = '\u{1f}';

/// Queries that write queries, which `\gexec` runs: one for each table, sequence and large object.
const STATE: &str = r"
\pset fieldsep '\x1f'
set search_path = '';
set extra_float_digits = 3;
set row_security = off;

select format(
    $$select %L, count(*) || ' rows', 'sum ' || coalesce(sum(hashtextextended(row(t.*)::text, 0)::numeric), 0) || ' '
        || coalesce(sum(hashtextextended(row(t.*)::text, 1)::numeric), 0) from only %s t$$,
    'rows of ' || c.oid::regclass, c.oid::regclass)
from pg_class c
where relkind in ('r', 'm') and relispopulated
    and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
\gexec

select format('rows of %s', oid::regclass), 'not populated' from pg_class where relkind = 'm' and not relispopulated;

select format($$select %L, 'last value ' || last_value, case when is_called then 'used' else 'unused' end from %s$$,
    'sequence ' || oid::regclass, oid::regclass)
from pg_class where relkind = 'S'
\gexec

select format('large object %s', oid), length(lo_get(oid)) || ' bytes', md5(lo_get(oid)), obj_description(oid, 'pg_largeobject')
from pg_largeobject_metadata;
";

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(entries: &[(&str, &str)]) -> Contents {
        Contents { entries: entries.iter().map(|(name, state)| (name.to_string(), state.to_string())).collect() }
    }

    #[test]
    fn tells_what_is_missing_new_and_changed() {
        let old = contents(&[("TABLE a", "x"), ("TABLE b", "one\ntwo"), ("TABLE c", "x")]);
        let new = contents(&[("TABLE b", "one\nthree"), ("TABLE c", "x"), ("TABLE d", "x")]);
        let told = ["TABLE a: missing", "TABLE d: new", "TABLE b: was `two`, is `three`"];
        assert_eq!(old.differences(&new), told);
        assert!(old.differences(&old).is_empty());
    }

    #[test]
    fn a_line_more_is_a_change() {
        assert_eq!(change("one", "one\ntwo"), "was ``, is `two`");
    }
}
