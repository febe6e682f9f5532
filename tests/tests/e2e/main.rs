//! Scenarios with the real binary, real repositories and real SSH servers.

mod harness;
