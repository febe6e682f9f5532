//! PostgreSQL: servers of a test's own, data that is hard to copy, and a comparison that knows nothing of the tool.

mod bouncer;
mod cluster;
mod contents;
mod data;
mod dump;
mod load;
mod release;
mod session;
mod standby;
mod template;
mod tools;

pub use bouncer::Bouncer;
pub use cluster::Cluster;
pub use contents::{Contents, compare};
pub use data::{fill, fill_with_bulk, rows};
pub use load::{Load, Report};
pub use release::Release;
pub use session::{Role, identifier, literal};
pub use tools::Tools;
