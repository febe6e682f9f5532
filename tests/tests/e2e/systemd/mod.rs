//! A real systemd: units that deploys restart, and services whose units the recipe keeps.

mod services;
mod units;
