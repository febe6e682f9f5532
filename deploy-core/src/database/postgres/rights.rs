//! Who may use what is restored: statements that run when all else is there, one by one, so that one which can't be brought
//! doesn't stand in the way of the others.

use std::collections::BTreeSet;

use super::archive::Entry;
use super::spelling::{copy, identifier};
use crate::database::adapter::{Right, Whose};

/// The rights that an archive has: first those of schemas, which others need, then owners, then all else.
pub(super) fn of(entries: &[Entry]) -> Vec<Right> {
    let acls = || entries.iter().filter(|entry| matches!(&*entry.kind, "ACL" | "DEFAULT ACL"));
    let schemas = acls().filter(|entry| entry.name.starts_with("SCHEMA "));
    let others = acls().filter(|entry| !entry.name.starts_with("SCHEMA "));
    // These take rights that not everybody has, or name roles.
    let is_special = |entry: &&Entry| entry.kind.starts_with("PUBLICATION") || entry.kind == "USER MAPPING";
    let publications = entries.iter().filter(is_special).flat_map(|entry| statements(&entry.definition));
    let belonging = entries.iter().filter(|entry| entry.kind == "SEQUENCE OWNED BY");
    let belonging: BTreeSet<_> = belonging.map(|entry| (&*entry.schema, &*entry.name)).collect();
    let owners = entries.iter().filter_map(|entry| owner(entry, &belonging));
    schemas
        .flat_map(rights)
        .chain(owners)
        .chain(others.flat_map(rights))
        .chain(publications.map(|sql| Right { whose: Whose::Nobodys, sql }))
        .collect()
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

/// SQL that brings `rights`, and prints those that can't be brought with the reason.
pub(super) fn sql(rights: &[Right]) -> String {
    let line = |right: &Right| {
        let role = right.role().map_or("\\N".to_owned(), copy);
        format!("{role}\t{}\n", copy(&right.sql))
    };
    format!(
        "CREATE TEMP TABLE deploy_rights (number serial, role text, statement text, problem text);\n\
         COPY deploy_rights (role, statement) FROM stdin;\n{}\\.\n{}",
        rights.iter().map(line).collect::<String>(),
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
        of(entries).into_iter().map(|right| right.sql).collect()
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
        let whose: Vec<_> = of(&entries).into_iter().map(|right| right.whose).collect();
        let shop = Whose::Owners("shop".into());
        assert_eq!(whose, [Whose::Everybodys, shop, Whose::Roles("b".into()), Whose::Nobodys]);
    }
}
