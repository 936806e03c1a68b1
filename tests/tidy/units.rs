//! The units that are installed give their programs no more than they need.

use std::process::Command;

use crate::sources::root;

/// Each unit with ten times its highest exposure, as `systemd-analyze security` counts it.
const EXPOSURE_MAX: [(&str, &str); 2] =
    [("omlagent.service", "22"), ("omlcontroller.service", "12")];

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
