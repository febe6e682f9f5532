//! This repository's own deployment tool, and the example that users copy.

use std::process::ExitCode;

use deploy_core::Xtask;
use deploy_rails::Rails;
use deploy_systemd::Systemd;

fn main() -> ExitCode {
    xtask().run()
}

/// The tool: the flows of `deploy-core`, and every recipe that stages may configure.
fn xtask() -> Xtask {
    Xtask::new().bundle::<Rails>().recipe::<Systemd>()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_wiring_is_sound() {
        super::xtask().check().unwrap();
    }
}
