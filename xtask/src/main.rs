//! This repository's own deployment tool, and the example that users copy.

use std::process::ExitCode;

use deploy_assets::Assets;
use deploy_bundler::Bundler;
use deploy_core::Xtask;

fn main() -> ExitCode {
    xtask().run()
}

/// The tool: the flows of `deploy-core`, and every recipe that stages may configure.
fn xtask() -> Xtask {
    Xtask::new().recipe::<Bundler>().recipe::<Assets>()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_wiring_is_sound() {
        super::xtask().check().unwrap();
    }
}
