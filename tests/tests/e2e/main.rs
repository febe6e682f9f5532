//! Scenarios with the real binary, real repositories and real SSH servers.

mod capistrano;
mod cleanup;
mod command_line;
mod connections;
mod deploy;
mod doctor;
mod example;
mod failures;
mod harness;
mod linked;
mod names;
mod output;
mod own_tasks;
mod plan;
mod postgres;
mod rails;
mod recipes;
mod repair;
mod repositories;
mod revisions;
mod rollback;
mod ssh;
mod tasks;
mod traffic;
mod trials;
mod web;
