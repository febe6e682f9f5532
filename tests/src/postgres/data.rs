//! Data that is hard to copy.

use super::cluster::Cluster;
use super::session::Role;

/// How many rows the large tables get: as many as are quick to copy, or a million at full length.
pub fn rows() -> usize {
    if crate::full() { 1_000_000 } else { 20_000 }
}

/// Fills an empty database, as its owner, with a bit of everything that PostgreSQL has: `data.sql`. Its large tables get
/// `rows` rows.
///
/// A role `reporting` comes into being, which some of it is granted to.
pub fn fill(cluster: &Cluster, database: &str, owner: &Role, rows: usize) {
    cluster.psql("postgres", REPORTING);
    cluster.psql_as(owner, database, &format!("\\set rows {rows}\n{}", include_str!("data.sql")));
}

/// Adds a table of so many megabytes that don't compress, for tests that have to meet a copy in its middle.
pub fn fill_with_bulk(cluster: &Cluster, database: &str, owner: &Role, megabytes: usize) {
    cluster.psql_as(owner, database, &format!("\\set rows {}\n{BULK}", megabytes * 1024));
}

const REPORTING: &str = "
do $$ begin
    create role reporting;
exception when duplicate_object then
    null;
end $$";

const BULK: &str = "
create extension if not exists pgcrypto;
create table bulk (id int primary key, noise bytea not null);
alter table bulk alter noise set storage external;
insert into bulk select n, gen_random_bytes(1024) from generate_series(1, :rows) n;
";
