//! The report as it lies on the host.

use std::os::unix::fs::PermissionsExt as _;

use oml_common::document::report::Phase;
use oml_common::document::status::Drift;

use super::*;
use crate::agent::empty_report;

#[tokio::test]
async fn the_report_is_for_root_alone() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (sender, reports) = watch::channel(Arc::new(empty_report(Timestamp(1))));
    let keeping = tokio::spawn(keep(paths.clone(), reports));
    drop(sender);
    keeping.await.unwrap();
    let mode = std::fs::metadata(file(&paths)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(show(&paths, Timestamp(2)).unwrap(), "no assignment yet\n");
    let words = StatusError::NotRoot.to_string();
    assert!(words.contains("only root"), "{words}");
}

#[test]
fn drift_is_shown_below_its_instance() {
    let drift = Drift { at: Timestamp(1_000), found: "container x is paused".to_owned() };
    let instance = InstanceReport { drift: Some(drift), ..InstanceReport::new(Phase::Ready) };
    let mut report = empty_report(Timestamp(1_000));
    report.instances.insert("asterisk".parse().unwrap(), instance);
    let shown = describe(&report, Timestamp(4_000));
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert!(lines[1].starts_with("asterisk"), "{shown}");
    assert_eq!(lines[2], "drift 3s ago: container x is paused");
}
