//! A lab whose owner process was killed is taken down by the next process.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use oml_lab::{Lab, LabSpec, sweep};

const ROLE: &str = "OML_LAB_TEST_ORPHAN";

/// The other test runs this one in a child process. On its own it does nothing.
#[test]
fn child_that_makes_a_lab_and_waits() {
    let Some(name) = std::env::var(ROLE).ok() else { return };
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["left"])).unwrap() else { return };
    println!("folder {}", lab.folder().display());
    loop {
        std::thread::park();
    }
}

#[test]
fn sweep_takes_down_a_lab_whose_owner_process_was_killed() {
    let name = format!("orphan-{}", std::process::id());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_makes_a_lab_and_waits", "--nocapture"])
        .env(ROLE, &name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = lines.map_while(Result::ok).find_map(|line| {
        let (_, folder) = line.split_once("folder ")?;
        Some(folder.to_owned())
    });
    let Some(folder) = folder else {
        // The lab cannot run here, and the child has printed the reason.
        assert!(child.wait().unwrap().success());
        return;
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let is_used = || fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&folder);
    assert!(is_used(), "the host must still be running");
    sweep().unwrap();
    assert!(!is_used() && !fs::exists(&folder).unwrap());
}
