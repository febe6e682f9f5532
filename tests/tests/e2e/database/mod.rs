//! Databases: backed up, restored, brought home from production. What came of it is asked of PostgreSQL by psql, never of
//! the tool.

mod access;
mod archive;
mod backup;
mod confirmed;
mod console;
mod crowded;
mod damaged;
mod excluded;
mod formats;
mod home;
mod in_place;
mod killed;
mod lying;
mod measured;
mod migrations;
mod moments;
mod partitions;
mod restore;
mod rights;
mod sanitise;
mod scene;
mod secrets;
mod sessions;
mod shield;
mod starved;
mod versions;
mod ways;
