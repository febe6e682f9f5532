//! Deployments in Capistrano's model, as a library for a workspace's own `xtask`.

pub mod config;
pub mod error;
pub mod event;
pub mod script;
pub mod transport;
pub mod ui;
pub mod layout;
pub mod plan;
pub mod registry;
pub mod run;
pub mod task;
pub mod flow;
mod repository;
