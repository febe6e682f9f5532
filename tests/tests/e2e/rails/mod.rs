//! A real Rails application behind Apache and Passenger, with PostgreSQL, deployed as users deploy it.

mod data;
mod deploys;
mod failures;
mod fleet;
mod gems;
mod page;
mod shop;
mod traffic;
mod visitor;
