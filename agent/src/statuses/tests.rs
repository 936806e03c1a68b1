//! Status files as supervisors write them.

use std::time::Duration;

use oml_common::document::status::Health;
use oml_common::id::ContentHash;
use oml_common::time::Timestamp;
use tokio::time::timeout;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn status(health: Health) -> Status {
    Status {
        container: "id".to_owned(),
        health,
        detail: "answers".to_owned(),
        active: Some(3),
        ..Status::new(ContentHash::of(b"workload"), Timestamp(1))
    }
}

#[tokio::test]
async fn what_a_supervisor_says_is_known_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (before, after) = ("redis".parse().unwrap(), "asterisk".parse().unwrap());
    documents::write_status(&paths, &before, &status(Health::Healthy)).unwrap();
    let (files, mut statuses) = StatusFiles::watch(&paths).unwrap();
    assert_eq!(statuses.borrow_and_update()[&before].health, Health::Healthy);
    documents::write_status(&paths, &after, &status(Health::Starting)).unwrap();
    timeout(LIMIT, statuses.wait_for(|s| s.contains_key(&after))).await.unwrap().unwrap();
    documents::write_status(&paths, &after, &status(Health::Unhealthy)).unwrap();
    let is_ill = |s: &Statuses| s[&after].health == Health::Unhealthy;
    timeout(LIMIT, statuses.wait_for(is_ill)).await.unwrap().unwrap();
    documents::remove(&paths, &after).unwrap();
    timeout(LIMIT, statuses.wait_for(|s| !s.contains_key(&after))).await.unwrap().unwrap();
    drop(files);
}

#[tokio::test]
async fn a_broken_status_is_no_status() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    std::fs::create_dir_all(paths.statuses()).unwrap();
    std::fs::write(paths.statuses().join("asterisk.json"), "{").unwrap();
    std::fs::write(paths.statuses().join("not a name.json"), "{}").unwrap();
    let (_files, statuses) = StatusFiles::watch(&paths).unwrap();
    assert!(statuses.borrow().is_empty());
}

#[tokio::test]
async fn a_status_that_is_written_after_its_folder_was_removed_or_renamed_is_known() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::below(root.path());
    let name: ComponentName = "asterisk".parse().unwrap();
    documents::write_status(&paths, &name, &status(Health::Healthy)).unwrap();
    let (_files, mut statuses) = StatusFiles::watch(&paths).unwrap();
    for removes in [true, false] {
        documents::write_status(&paths, &name, &status(Health::Healthy)).unwrap();
        let is_well = |s: &Statuses| s.get(&name).is_some_and(|s| s.health == Health::Healthy);
        timeout(LIMIT, statuses.wait_for(is_well)).await.unwrap().unwrap();
        if removes {
            std::fs::remove_dir_all(paths.statuses()).unwrap();
        } else {
            std::fs::rename(paths.statuses(), root.path().join("moved")).unwrap();
        }
        timeout(LIMIT, statuses.wait_for(Statuses::is_empty)).await.unwrap().unwrap();
        documents::write_status(&paths, &name, &status(Health::Unhealthy)).unwrap();
        let is_ill = |s: &Statuses| s.get(&name).is_some_and(|s| s.health == Health::Unhealthy);
        timeout(LIMIT, statuses.wait_for(is_ill)).await.unwrap().unwrap();
    }
}
