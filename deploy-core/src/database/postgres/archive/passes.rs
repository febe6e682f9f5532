//! In how many passes an archive is loaded: as whom, and how much of it side by side.

use std::collections::BTreeSet;

use crate::database::adapter::{Inventory, Loading, Part};

/// A part of a dump that is loaded at a time.
pub(in crate::database::postgres) struct Pass<'l> {
    /// The lines for `pg_restore --use-list`; `None`: everything.
    pub(in crate::database::postgres) list: Option<String>,
    /// The role that is to own it; empty: who logs in.
    pub(in crate::database::postgres) role: &'l str,
    pub(in crate::database::postgres) jobs: Jobs,
}

/// How many sessions load a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::database::postgres) enum Jobs {
    One,
    Many,
}

/// The passes of an archive. Extensions and event triggers may need a superuser, who logs in where that isn't the owner.
pub(in crate::database::postgres) fn passes<'l>(loading: &'l Loading<'_>) -> Vec<Pass<'l>> {
    let parts = &*loading.inventory.parts;
    let role = loading.role();
    if parts.is_empty() {
        return vec![Pass { list: None, role, jobs: Jobs::Many }];
    }
    if role.is_empty() {
        let wanted = |part: &Part| !stays_out(part) && (loading.superuser || !is_for_superusers(part));
        return waves(parts, wanted, role);
    }
    let is_first = |part: &Part| part.kind == "SCHEMA" || is_about(part, "EXTENSION");
    let first = one_wave(parts, |part| is_first(part) && !stays_out(part));
    let main = waves(parts, |part| !is_first(part) && !is_for_superusers(part) && !stays_out(part), role);
    let last = one_wave(parts, |part| is_for_superusers(part) && loading.superuser);
    first.into_iter().chain(main).chain(last).collect()
}

/// What is `wanted` of the parts, by who logs in.
fn one_wave(parts: &[Part], wanted: impl Fn(&Part) -> bool) -> Option<Pass<'static>> {
    let list = list(parts, wanted);
    (!list.is_empty()).then_some(Pass { list: Some(list), role: "", jobs: Jobs::Many })
}

/// What is `wanted` of the parts, in up to three passes. An index of a table in partitions becomes valid when the last one
/// of theirs is attached to it, which PostgreSQL finds out from what is committed: of two that are attached at a time neither
/// is the last one. So they come one after the other, and then what waits for them.
fn waves<'l>(parts: &[Part], wanted: impl Fn(&Part) -> bool, role: &'l str) -> Vec<Pass<'l>> {
    let is_attached = |part: &Part| part.kind == "INDEX ATTACH";
    let waiting = dependents(parts, is_attached);
    let waits = |part: &Part| waiting.contains(&part.id);
    let waves = [
        (list(parts, |part| wanted(part) && !is_attached(part) && !waits(part)), Jobs::Many),
        (list(parts, |part| wanted(part) && is_attached(part)), Jobs::One),
        (list(parts, |part| wanted(part) && !is_attached(part) && waits(part)), Jobs::Many),
    ];
    let some = waves.into_iter().filter(|(list, _)| !list.is_empty());
    some.map(|(list, jobs)| Pass { list: Some(list), role, jobs }).collect()
}

/// The ids of the parts that depend on those that `is_root` says, over however many others.
fn dependents(parts: &[Part], is_root: impl Fn(&Part) -> bool) -> BTreeSet<i64> {
    let roots: BTreeSet<i64> = parts.iter().filter(|part| is_root(part)).map(|part| part.id).collect();
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        let waits = |part: &&Part| part.needs.iter().any(|id| roots.contains(id) || found.contains(id));
        let more: Vec<_> = parts.iter().filter(waits).map(|part| part.id).collect();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// Takes these extensions out, with what is said of them and the rows that they keep. Returns those that were there.
pub(in crate::database::postgres) fn leave_out(inventory: &mut Inventory, extensions: &[String]) -> Vec<String> {
    let (out, stay): (Vec<_>, Vec<_>) = inventory.extensions.drain(..).partition(|name| extensions.contains(name));
    inventory.extensions = stay;
    if out.is_empty() {
        return out;
    }
    let known: BTreeSet<i64> = inventory.parts.iter().map(|part| part.id).collect();
    let is_last = inventory.extensions.iter().all(|name| name == "plpgsql");
    // An extension makes its tables itself; that they are its own shows by the schema, where there are several extensions.
    let is_its = |part: &Part| {
        let schema = |name: &String| part.schema == *name || name.strip_prefix("pg_") == Some(&part.schema);
        part.needs.iter().any(|id| !known.contains(id)) && (is_last || out.iter().any(schema))
    };
    let goes = |part: &Part| match &*part.kind {
        "EXTENSION" => out.contains(&part.name),
        "COMMENT" => out.iter().any(|name| is_named(part, name)),
        "TABLE DATA" | "SEQUENCE SET" => is_its(part),
        _ => false,
    };
    inventory.parts.retain(|part| !goes(part));
    out
}

/// The lines for `pg_restore --use-list` of the parts that are `wanted`.
pub(in crate::database::postgres) fn list(parts: &[Part], wanted: impl Fn(&Part) -> bool) -> String {
    parts.iter().filter(|part| wanted(part)).map(|part| format!("{};\n", part.id)).collect()
}

/// Whether the part is a comment on the extension `name`.
pub(in crate::database::postgres) fn is_named(part: &Part, name: &str) -> bool {
    part.name.strip_prefix("EXTENSION ").is_some_and(|quoted| quoted.trim_matches('"') == name)
}

/// Whether the part is of the kind `kind`, or a comment on one.
fn is_about(part: &Part, kind: &str) -> bool {
    part.kind == kind
        || part.kind == "COMMENT" && part.name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' '))
}

/// Every new database has the schema `public`, and older servers let only a superuser comment on it. Logins to other servers
/// come with the rights: they name roles.
pub(in crate::database::postgres) fn stays_out(part: &Part) -> bool {
    part.kind == "USER MAPPING"
        || part.kind == "SCHEMA" && part.name == "public"
        || part.kind == "COMMENT" && part.name == "SCHEMA public"
}

pub(in crate::database::postgres) fn is_for_superusers(part: &Part) -> bool {
    is_about(part, "EVENT TRIGGER")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::adapter::Form;

    fn part(id: i64, kind: &str, needs: &[i64]) -> Part {
        Part { id, kind: kind.into(), name: format!("{kind} {id}"), needs: needs.to_vec(), ..Part::default() }
    }

    /// The passes as the ids in each, by whom, and by how many.
    fn of(parts: Vec<Part>, owner: &str) -> Vec<(String, String, Jobs)> {
        let inventory = Inventory { parts, ..Inventory::default() };
        let loading = Loading {
            file: "",
            form: Form::Archive,
            folder: "",
            inventory: &inventory,
            owner,
            user: "shop",
            superuser: false,
            others: &[],
            invalid: None,
            rights: &[],
            settings: &[],
        };
        let ids = |list: Option<String>| list.unwrap_or("all".into()).replace(";\n", " ").trim_end().to_owned();
        passes(&loading).into_iter().map(|pass| (ids(pass.list), pass.role.to_owned(), pass.jobs)).collect()
    }

    fn pass(ids: &str, role: &str, jobs: Jobs) -> (String, String, Jobs) {
        (ids.into(), role.into(), jobs)
    }

    #[test]
    fn indexes_are_attached_one_by_one_and_before_what_depends_on_them() {
        let parts = vec![
            part(1, "TABLE", &[]),
            part(2, "TABLE DATA", &[1]),
            part(3, "CONSTRAINT", &[1]),
            part(4, "CONSTRAINT", &[1]),
            part(5, "INDEX ATTACH", &[3, 4]),
            part(6, "INDEX ATTACH", &[3, 4]),
            part(7, "FK CONSTRAINT", &[3, 5]),
            part(8, "COMMENT", &[7]),
            part(9, "FK CONSTRAINT", &[1]),
        ];
        let expected = [pass("1 2 3 4 9", "", Jobs::Many), pass("5 6", "", Jobs::One), pass("7 8", "", Jobs::Many)];
        assert_eq!(of(parts, "shop"), expected);
    }

    #[test]
    fn an_extension_is_left_out_with_what_it_keeps() {
        let named = |id, kind: &str, schema: &str, name: &str, needs: &[i64]| Part {
            schema: schema.into(),
            name: name.into(),
            ..part(id, kind, needs)
        };
        let parts = [
            named(1, "EXTENSION", "", "pg_cron", &[]),
            named(2, "COMMENT", "", "EXTENSION pg_cron", &[1]),
            named(3, "TABLE DATA", "cron", "job", &[100]),
            named(4, "SEQUENCE SET", "cron", "jobid_seq", &[101]),
            named(5, "EXTENSION", "", "postgis", &[]),
            named(6, "TABLE DATA", "public", "spatial_ref_sys", &[102]),
            named(7, "TABLE", "public", "people", &[5]),
            named(8, "TABLE DATA", "public", "people", &[7]),
        ];
        let left = |extensions: &[&str], out: &str| {
            let extensions = extensions.iter().map(|name| (*name).to_owned()).collect();
            let mut inventory = Inventory { extensions, parts: parts.to_vec(), ..Inventory::default() };
            assert_eq!(leave_out(&mut inventory, &[out.into(), "none".into()]), [out]);
            inventory.parts.iter().map(|part| part.id).collect::<Vec<_>>()
        };
        assert_eq!(left(&["pg_cron", "postgis"], "pg_cron"), [5, 6, 7, 8]);
        assert_eq!(left(&["pg_cron", "postgis"], "postgis"), [1, 2, 3, 4, 6, 7, 8], "whose the rows are isn't known");
        assert_eq!(left(&["postgis", "plpgsql"], "postgis"), [1, 2, 7, 8]);
    }

    #[test]
    fn what_has_no_partitions_is_loaded_in_one_pass() {
        let parts = vec![part(1, "TABLE", &[]), part(2, "INDEX", &[1])];
        assert_eq!(of(parts.clone(), "shop"), [pass("1 2", "", Jobs::Many)]);
        assert_eq!(of(parts, "owner"), [pass("1 2", "owner", Jobs::Many)]);
        assert_eq!(of(Vec::new(), "owner"), [pass("all", "owner", Jobs::Many)]);
    }

    #[test]
    fn extensions_and_schemas_are_made_by_who_logs_in() {
        let parts = vec![
            part(1, "SCHEMA", &[]),
            part(2, "EXTENSION", &[]),
            part(3, "INDEX", &[]),
            part(4, "INDEX ATTACH", &[3]),
            part(5, "EVENT TRIGGER", &[]),
        ];
        let expected = [pass("1 2", "", Jobs::Many), pass("3", "owner", Jobs::Many), pass("4", "owner", Jobs::One)];
        assert_eq!(of(parts, "owner"), expected);
    }

    #[test]
    fn what_depends_on_an_attached_index_over_others_waits_whatever_the_order() {
        let parts = vec![part(9, "COMMENT", &[8]), part(8, "FK CONSTRAINT", &[7]), part(7, "INDEX ATTACH", &[])];
        assert_eq!(of(parts, "shop"), [pass("7", "", Jobs::One), pass("9 8", "", Jobs::Many)]);
    }
}
