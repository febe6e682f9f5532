//! Servers of every stage.

use std::sync::Arc;

use super::server::{Connect, Transport};
use super::{local, ssh};
use crate::config::{Server, Stage, TransportKind};
use crate::error::Error;

/// Reaches servers of every stage, each as its stage says.
pub struct Anywhere {
    /// Those over SSH.
    pub ssh: ssh::Ssh,
    /// This machine.
    pub local: local::Local,
}

impl Connect for Anywhere {
    fn connect(&self, stage: &Stage, server: &Server) -> Result<Arc<dyn Transport>, Error> {
        match stage.transport {
            TransportKind::Ssh => self.ssh.connect(stage, server),
            TransportKind::Local => self.local.connect(stage, server),
        }
    }
}
