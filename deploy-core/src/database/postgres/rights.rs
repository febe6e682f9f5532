//! Who may use what is restored: statements that run when all else is there, one by one, so that one which can't be brought
//! doesn't stand in the way of the others.

use std::collections::BTreeSet;

use super::archive::Entry;
use super::spelling::{self, copy, identifier};
use crate::database::adapter::{Right, Setting, Whose};

/// What a server of version 15 or newer begins with, and an older one doesn't.
const CLOSED: &str = "REVOKE CREATE ON SCHEMA public FROM PUBLIC;";

/// The rights that an archive has, which a server of the major version `server` was dumped to: first those of schemas, which
/// others need, then owners, then all else.
pub(super) fn of(entries: &[Entry], server: Option<u32>) -> Vec<Right> {
    let acls = || entries.iter().filter(|entry| matches!(&*entry.kind, "ACL" | "DEFAULT ACL"));
    let schemas = acls().filter(|entry| entry.name.starts_with("SCHEMA "));
    let others = acls().filter(|entry| !entry.name.starts_with("SCHEMA "));
    // These take rights that not everybody has, or name roles.
    let is_special = |entry: &&Entry| entry.kind.starts_with("PUBLICATION") || entry.kind == "USER MAPPING";
    let publications = entries.iter().filter(is_special).flat_map(|entry| statements(&entry.definition));
    let belonging = entries.iter().filter(|entry| entry.kind == "SEQUENCE OWNED BY");
    let belonging: BTreeSet<_> = belonging.map(|entry| (&*entry.schema, &*entry.name)).collect();
    let owners = entries.iter().filter_map(|entry| owner(entry, &belonging));
    let is_usual = server.is_some_and(|server| server >= 15) && !acls().any(|entry| entry.name == "SCHEMA public");
    let closed = is_usual.then(|| Right { whose: Whose::Everybodys, sql: CLOSED.to_owned() });
    closed
        .into_iter()
        .chain(schemas.flat_map(rights))
        .chain(owners)
        .chain(others.flat_map(rights))
        .chain(publications.map(|sql| Right { whose: Whose::Nobodys, sql }))
        .collect()
}

/// The right that a line of a dump as SQL gives or takes, if it is one statement that does.
pub(super) fn of_line(line: &str) -> Option<Right> {
    let [sql] = <[String; 1]>::try_from(statements(line)).ok()?;
    let whose = match sql.split(' ').next()? {
        "GRANT" | "REVOKE" if sql.contains(" ON ") => grantee(&sql).map_or(Whose::Everybodys, Whose::Roles),
        "ALTER" if sql.starts_with("ALTER DEFAULT PRIVILEGES ") => grantee(&sql).map_or(Whose::Nobodys, Whose::Roles),
        "ALTER" if sql.contains(" OWNER TO ") => grantee(&sql).map(Whose::Owners)?,
        "CREATE" | "ALTER" if sql.split(' ').nth(1) == Some("PUBLICATION") => Whose::Nobodys,
        _ => return None,
    };
    Some(Right { whose, sql })
}

/// The same rights in the order in which they can be brought: schemas, owners, all else.
pub(super) fn sorted(mut rights: Vec<Right>) -> Vec<Right> {
    rights.sort_by_key(|right| match right.whose {
        _ if right.sql.contains(" ON SCHEMA ") => 0,
        Whose::Owners(_) => 1,
        _ => 2,
    });
    rights
}

/// The statements of an entry. Who grants them is not changed for it.
fn rights(entry: &Entry) -> Vec<Right> {
    let all = statements(&entry.definition).into_iter();
    let all = all.filter(|sql| !sql.starts_with("SET SESSION") && !sql.starts_with("RESET SESSION"));
    let whose = |sql: &str| match grantee(sql) {
        Some(role) => Whose::Roles(role),
        None if entry.kind == "ACL" => Whose::Everybodys,
        None => Whose::Nobodys,
    };
    all.map(|sql| Right { whose: whose(&sql), sql }).collect()
}

/// The statement that says who owns what the entry makes.
fn owner(entry: &Entry, belonging: &BTreeSet<(&str, &str)>) -> Option<Right> {
    let Entry { kind, schema, name, owner, .. } = entry;
    let object = match &**kind {
        "TABLE" | "VIEW" | "MATERIALIZED VIEW" | "FOREIGN TABLE" | "TYPE" | "DOMAIN" => identifier(name),
        // One that belongs to a column follows its table.
        "SEQUENCE" if entry.definition.starts_with("CREATE SEQUENCE") && !belonging.contains(&(&**schema, &**name)) => {
            identifier(name)
        }
        // Its name has arguments, and stands as SQL has it.
        "FUNCTION" | "PROCEDURE" | "AGGREGATE" => name.clone(),
        "SCHEMA" if name != "public" => {
            let sql = format!("ALTER SCHEMA {} OWNER TO {};", identifier(name), identifier(owner));
            return Some(Right { whose: Whose::Owners(owner.clone()), sql });
        }
        _ => return None,
    };
    let sql = format!("ALTER {kind} {}.{object} OWNER TO {};", identifier(schema), identifier(owner));
    (!owner.is_empty()).then(|| Right { whose: Whose::Owners(owner.clone()), sql })
}

/// The statements of a text. A semicolon in a name or a string ends none.
fn statements(text: &str) -> Vec<String> {
    let (mut found, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ';') => {
                found.push(text[start..=at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The role that a statement gives something to or takes it from; `None`: everybody.
fn grantee(sql: &str) -> Option<String> {
    let sql = sql.trim_end_matches(';').trim_end_matches(" WITH GRANT OPTION");
    if let Some(rest) = sql.strip_suffix('"') {
        // A quote that is doubled belongs to the name.
        let name = rest.replace("\"\"", "\u{0}");
        return name.rsplit('"').next().map(|name| name.replace('\u{0}', "\""));
    }
    sql.rsplit(' ').next().filter(|role| *role != "PUBLIC").map(str::to_owned)
}

/// A statement that is tried: the role that has to be there, the statement, and how it is told where it can't be brought.
type Line<'l> = (Option<&'l str>, String, String);

/// SQL that brings `rights`, and prints those that can't be brought with the reason.
pub(super) fn sql(rights: &[Right]) -> String {
    one_by_one(rights.iter().map(|right| (right.role(), right.sql.clone(), right.sql.clone())))
}

/// The same for what sessions in `database` begin with, which is called `later` once it is live.
pub(super) fn settings_sql(settings: &[Setting], database: &str, later: &str) -> String {
    one_by_one(settings.iter().map(|setting| {
        let role = Some(&*setting.role).filter(|role| !role.is_empty());
        (role, spelling::setting(database, setting), spelling::setting(later, setting))
    }))
}

fn one_by_one<'l>(lines: impl Iterator<Item = Line<'l>>) -> String {
    let line = |(role, sql, told): Line<'_>| {
        let role = role.map_or("\\N".to_owned(), copy);
        format!("{role}\t{}\t{}\n", copy(&sql), copy(&told))
    };
    format!(
        "CREATE TEMP TABLE deploy_rights (number serial, role text, statement text, told text, problem text);\n\
         COPY deploy_rights (role, statement, told) FROM stdin;\n{}\\.\n{}",
        lines.map(line).collect::<String>(),
        include_str!("sql/rights.sql")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, name: &str, definition: &str) -> Entry {
        let [kind, name, schema, owner, definition] = [kind, name, "public", "shop", definition].map(str::to_owned);
        Entry { kind, name, schema, owner, definition, ..Entry::default() }
    }

    fn texts(entries: &[Entry]) -> Vec<String> {
        of(entries, Some(14)).into_iter().map(|right| right.sql).collect()
    }

    #[test]
    fn roles_are_read_as_they_are_quoted() {
        for (sql, role) in [
            ("GRANT SELECT ON TABLE a TO web;", Some("web")),
            ("GRANT SELECT(id) ON TABLE a TO \"it's; \"\"me\"\"\" WITH GRANT OPTION;", Some("it's; \"me\"")),
            ("REVOKE ALL ON FUNCTION f() FROM PUBLIC;", None),
            ("REVOKE ALL ON FUNCTION f() FROM \"PUBLIC\";", Some("PUBLIC")),
        ] {
            assert_eq!(grantee(sql).as_deref(), role, "{sql}");
        }
    }

    #[test]
    fn a_line_of_sql_is_a_right_if_it_is_one_statement_about_one() {
        let whose = |line: &str| of_line(line).map(|right| right.whose);
        assert_eq!(whose("GRANT SELECT ON TABLE a TO web;"), Some(Whose::Roles("web".into())));
        assert_eq!(whose("REVOKE ALL ON FUNCTION f() FROM PUBLIC;"), Some(Whose::Everybodys));
        assert_eq!(whose("ALTER TABLE a OWNER TO \"it's\";"), Some(Whose::Owners("it's".into())));
        assert_eq!(whose("CREATE PUBLICATION p WITH (publish = 'insert');"), Some(Whose::Nobodys));
        for other in
            ["GRANT pg_read_server_files TO web;", "GRANT SELECT ON a TO b; DROP ROLE c;", "ALTER TABLE a ADD b int;"]
        {
            assert_eq!(whose(other), None, "{other}");
        }
    }

    #[test]
    fn semicolons_in_names_end_no_statement() {
        let text = "REVOKE ALL ON TABLE \"a;\"\" b\" FROM PUBLIC;\nGRANT ALL ON TABLE \"a;\"\" b\" TO web;\n";
        let expected = ["REVOKE ALL ON TABLE \"a;\"\" b\" FROM PUBLIC;", "GRANT ALL ON TABLE \"a;\"\" b\" TO web;"];
        assert_eq!(statements(text), expected);
    }

    #[test]
    fn schemas_come_first_and_owners_before_other_rights() {
        let entries = [
            entry("TABLE", "it's", "CREATE TABLE …"),
            entry("SEQUENCE", "ids", "CREATE SEQUENCE …"),
            entry("SEQUENCE OWNED BY", "ids", "ALTER SEQUENCE …"),
            entry("PUBLICATION", "p", "CREATE PUBLICATION p;\n"),
            entry(
                "ACL",
                "TABLE \"it's\"",
                "SET SESSION AUTHORIZATION a;\nGRANT SELECT ON TABLE a TO b;\nRESET SESSION AUTHORIZATION;\n",
            ),
            entry("ACL", "SCHEMA public", "REVOKE ALL ON SCHEMA public FROM PUBLIC;\n"),
        ];
        let expected = [
            "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
            "ALTER TABLE \"public\".\"it's\" OWNER TO \"shop\";",
            "GRANT SELECT ON TABLE a TO b;",
            "CREATE PUBLICATION p;",
        ];
        assert_eq!(texts(&entries), expected);
        assert_eq!(of(&entries[..1], Some(15))[0].sql, CLOSED);
        let whose: Vec<_> = of(&entries, None).into_iter().map(|right| right.whose).collect();
        let shop = Whose::Owners("shop".into());
        assert_eq!(whose, [Whose::Everybodys, shop, Whose::Roles("b".into()), Whose::Nobodys]);
    }
}
