//! Status files as supervisors write them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oml_common::document::status::Health;
use oml_common::id::ContentHash;
use oml_common::time::Timestamp;
use tokio::sync::mpsc;
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

/// Lets a status be written, changed and removed, and waits until each is known.
async fn follows(paths: &Paths, statuses: &mut watch::Receiver<Statuses>) {
    let name: ComponentName = "kamailio".parse().unwrap();
    for health in [Health::Starting, Health::Healthy] {
        documents::write_status(paths, &name, &status(health)).unwrap();
        let is_known = |s: &Statuses| s.get(&name).is_some_and(|s| s.health == health);
        timeout(LIMIT, statuses.wait_for(is_known)).await.unwrap().unwrap();
    }
    documents::remove(paths, &name).unwrap();
    timeout(LIMIT, statuses.wait_for(|s| !s.contains_key(&name))).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_the_files_are_read_every_second_until_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let first = "redis".parse().unwrap();
    documents::write_status(&paths, &first, &status(Health::Healthy)).unwrap();
    let is_free = Arc::new(AtomicBool::new(false));
    let (tries, mut tried) = mpsc::unbounded_channel();
    let begin = {
        let is_free = Arc::clone(&is_free);
        move |folder: &Path| {
            let has_instance = is_free.load(Ordering::SeqCst);
            tries.send(has_instance).unwrap();
            if has_instance { FolderWatch::begin(folder) } else { Err(WatchError::NoInstance) }
        }
    };
    let (_files, mut statuses) = StatusFiles::watch_with(&paths, begin).unwrap();
    assert_eq!(statuses.borrow_and_update()[&first].health, Health::Healthy);
    // It is known, and gone before the first look.
    documents::remove(&paths, &first).unwrap();
    timeout(LIMIT, statuses.wait_for(Statuses::is_empty)).await.unwrap().unwrap();
    follows(&paths, &mut statuses).await;
    documents::write_status(&paths, &first, &status(Health::Healthy)).unwrap();
    timeout(LIMIT, statuses.wait_for(|s| s.contains_key(&first))).await.unwrap().unwrap();
    std::fs::remove_dir_all(paths.statuses()).unwrap();
    timeout(LIMIT, statuses.wait_for(Statuses::is_empty)).await.unwrap().unwrap();
    follows(&paths, &mut statuses).await;
    assert_eq!(tried.try_recv(), Ok(false));
    assert!(tried.try_recv().is_err(), "it was tried again within seconds");
    is_free.store(true, Ordering::SeqCst);
    assert_eq!(tried.recv().await, Some(true));
    // From here on, only the watch tells of changes.
    tokio::time::resume();
    follows(&paths, &mut statuses).await;
    assert!(tried.try_recv().is_err(), "it is watched already");
}

#[test]
fn a_limit_of_the_host_is_explained_with_the_command_that_raises_it() {
    let reason = chain(&WatchError::NoInstance);
    assert!(reason.ends_with("run: sysctl fs.inotify.max_user_instances=1024"), "{reason}");
}
