//! The units that are installed give their programs no more than they need.

use std::fs;
use std::process::Command;

use crate::sources::root;

/// Each unit with ten times its highest exposure, as `systemd-analyze security` counts it.
const EXPOSURE_MAX: [(&str, &str); 2] =
    [("omlagent.service", "20"), ("omlcontroller.service", "12")];

/// The programs that have secrets in their memory.
const PROGRAMS: [&str; 3] = ["controller", "agent", "omlctl"];

#[test]
fn no_program_with_secrets_leaves_a_core_dump() {
    for program in PROGRAMS {
        let main = fs::read_to_string(root().join(program).join("src/main.rs"));
        let main = main.expect("the program has a main file");
        let (_, body) = main.split_once("\nfn main() -> ExitCode {\n").expect("it has a main");
        let first = body.lines().next().unwrap_or_default();
        assert!(first.contains("core_dumps::forbid()"), "{program} begins with {first}");
    }
    for (unit, _) in EXPOSURE_MAX {
        let text =
            fs::read_to_string(root().join("systemd").join(unit)).expect("the unit is there");
        assert!(text.contains("\nLimitCORE=0\n"), "{unit} has no LimitCORE=0");
    }
}

#[test]
fn the_exposure_of_every_service_is_bounded() {
    for (unit, threshold) in EXPOSURE_MAX {
        let analysis = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold", threshold])
            .arg(root().join("systemd").join(unit))
            .output();
        match analysis {
            Ok(analyzed) => {
                let words = String::from_utf8_lossy(&analyzed.stdout);
                assert!(analyzed.status.success(), "{unit} is exposed too much:\n{words}");
            }
            Err(error) => eprintln!("skipped: systemd-analyze cannot be run here: {error}"),
        }
    }
}
