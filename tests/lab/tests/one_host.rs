//! One real host, from boot to nothing left.

use oml_lab::{Lab, LabError, LabSpec, preflight};

/// The lab's name is this process's own, so that two test runs never meet.
fn lab(hosts: &[&str]) -> Option<Lab> {
    match preflight() {
        Err(LabError::CannotRun(reason)) => {
            println!("skipped: {reason}");
            None
        }
        other => {
            other.unwrap();
            let name = format!("test-{}", std::process::id());
            Some(Lab::up(&LabSpec::new(&name, hosts)).unwrap())
        }
    }
}

#[test]
fn a_host_boots_runs_programs_and_leaves_nothing_behind() {
    let Some(lab) = lab(&["alone"]) else { return };
    let host = lab.host("alone").unwrap();
    assert_eq!(host.exec_ok(&["hostname"]).unwrap().trim(), "alone");
    assert_eq!(host.exec_ok(&["systemctl", "is-system-running"]).unwrap().trim(), "running");
    lab.down().unwrap();
}
