//! What a schema consists of.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::session::finish;

/// The definition of each object, as `pg_dump --schema-only` writes it, without owners and privileges.
#[track_caller]
pub(super) fn definitions(cluster: &Cluster, database: &str) -> BTreeMap<String, String> {
    let mut dump = cluster.session(database, None).command("pg_dump");
    dump.args(["--schema-only", "--no-owner", "--no-privileges"]);
    let text = finish(dump, &[]).unwrap_or_else(|error| panic!("failed to dump the schema of `{database}`: {error}"));
    parse(&text)
}

/// Cuts a dump at its comments `-- Name: x; Type: TABLE; Schema: public; Owner: -`.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in text.split("\n-- Name: ").skip(1) {
        let (header, body) = part.split_once('\n').unwrap_or((part, ""));
        let lines = body.lines().filter(|line| !is_noise(line));
        definitions.entry(title(header)).or_default().push(lines.collect::<Vec<_>>().join("\n"));
    }
    // Objects of one name and type, such as comments on functions, are told apart by nothing but their definitions.
    definitions.values_mut().for_each(|bodies| bodies.sort());
    definitions.into_iter().map(|(title, bodies)| (title, bodies.join("\n"))).collect()
}

/// `TABLE public.x` of `x; Type: TABLE; Schema: public; Owner: -`.
fn title(header: &str) -> String {
    let fields: Vec<&str> = header.rsplitn(4, "; ").collect();
    let [_owner, schema, kind, name] = fields[..] else { return header.to_owned() };
    let value = |field: &str| field.split_once(": ").map_or(field, |(_, value)| value).to_owned();
    format!("{} {}.{name}", value(kind), value(schema))
}

/// Blank lines, the rules around comments, what ends the dump, and settings that depend on what stood before.
fn is_noise(line: &str) -> bool {
    let starts = ["-- PostgreSQL database dump complete", "\\unrestrict ", "SET default_table"];
    line.is_empty() || line == "--" || starts.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
--
-- PostgreSQL database dump
--

SET statement_timeout = 0;

--
-- Name: a; b; Type: TABLE; Schema: Odd; Owner: -
--

CREATE TABLE \"Odd\".\"a; b\" (
    id integer
);


--
-- Name: FUNCTION f(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.f() IS 'x';


--
-- PostgreSQL database dump complete
--

\\unrestrict abc
";

    #[test]
    fn a_dump_is_cut_into_definitions() {
        let table = ("TABLE Odd.a; b".to_owned(), "CREATE TABLE \"Odd\".\"a; b\" (\n    id integer\n);".to_owned());
        let comment = ("COMMENT public.FUNCTION f()".to_owned(), "COMMENT ON FUNCTION public.f() IS 'x';".to_owned());
        assert_eq!(parse(DUMP), BTreeMap::from([table, comment]));
    }
}
