//! Trials: runs that are killed, raced, starved and interrupted at every moment. After each, the servers are asked by
//! plain shell whether what is live is whole, whether the lock is free, and whether anything still runs.

mod another;
mod interrupted;
mod killed;
mod lost;
mod lying;
mod orphaned;
mod prying;
mod raced;
mod recorded;
mod scene;
mod starved;
mod stopped;
mod switched;
mod trees;

pub(crate) use scene::Sum;
