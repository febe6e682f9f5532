//! The two flows and nothing else: what `xtask/src/main.rs` is before a project adds to it.

use std::process::ExitCode;

use deploy_core::Xtask;

fn main() -> ExitCode {
    xtask().run()
}

fn xtask() -> Xtask {
    Xtask::new()
}

#[cfg(test)]
mod tests {
    /// Finds what the compiler can't: two tasks of one name, hooks on tasks that don't exist, circles.
    #[test]
    fn the_wiring_is_sound() {
        super::xtask().check().unwrap();
    }
}
