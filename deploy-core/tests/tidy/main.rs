//! What the compiler doesn't hold: the layers of the library, who may do what, and documents that keep up with the code.
//!
//! Each test says in its failure what to do. ARCHITECTURE.md says why.

mod circles;
mod documents;
mod git;
mod layers;
mod recipes;
mod sources;
mod text;

/// Fails with all `problems`, and with what to do about them.
#[track_caller]
fn none(problems: &[String], advice: &str) {
    assert!(problems.is_empty(), "\n  {}\n\n{advice}\n", problems.join("\n  "));
}
