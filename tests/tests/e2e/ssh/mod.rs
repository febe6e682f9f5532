//! The SSH transport against real servers, without a deploy around it.

mod agents;
mod configuration;
mod crowds;
mod fido;
mod host_keys;
mod jumps;
mod keys;
mod lab;
mod line;
mod losses;
mod passwords;
mod streams;
mod terminals;
mod throughput;
mod turmoil;
