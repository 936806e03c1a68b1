//! The report as it lies on the host.

use std::os::unix::fs::PermissionsExt as _;

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
