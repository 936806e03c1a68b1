//! A lab whose owner was killed: the next one takes it down.
#![expect(clippy::disallowed_methods, reason = "real hosts, by real time, as whoever runs it says")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use oml_lab::{Lab, LabSpec, sweep};

const ROLE: &str = "OML_LAB_TEST_ORPHAN";

/// Run by the test below in a process of its own; on its own it does nothing.
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
fn a_lab_left_behind_by_a_killed_process_is_swept_whole() {
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
        // The lab cannot run here; the child said why.
        assert!(child.wait().unwrap().success());
        return;
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let is_used = || fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&folder);
    assert!(is_used(), "the host is still up");
    sweep().unwrap();
    assert!(!is_used() && !fs::exists(&folder).unwrap());
}
