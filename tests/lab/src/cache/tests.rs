use super::*;

#[test]
fn an_entry_is_built_once_and_an_older_one_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path(), LOCK).unwrap();
    let old = cache
        .entry("base", "old", |path| {
            fs::write(path.join("a"), "1").map_err(LabError::io("write", path))
        })
        .unwrap();
    let other = cache.entry("base-extra", "old", |_| Ok(())).unwrap();
    let new = cache.entry("base", "new", |_| Ok(())).unwrap();
    let again =
        cache.entry("base", "new", |_| Err(LabError::Invalid("built twice".into()))).unwrap();
    assert_eq!(new, again);
    assert!(!old.exists() && other.exists());
}

#[test]
fn a_failed_build_leaves_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path(), LOCK).unwrap();
    assert!(cache.entry("base", "x", |_| Err(LabError::Invalid("no".into()))).is_err());
    assert!(!cache.path("base", "x").exists());
}

#[test]
fn a_second_build_starts_with_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path(), LOCK).unwrap();
    let half = |path: &Path| {
        fs::write(path.join("half"), "1").map_err(LabError::io("write", path))?;
        Err(LabError::Invalid("broken off".into()))
    };
    assert!(cache.entry("base", "x", half).is_err());
    let whole = cache.entry("base", "x", |_| Ok(())).unwrap();
    assert!(!whole.join("half").exists());
}

#[test]
fn a_stamp_changes_with_every_part_and_every_boundary_between_parts() {
    assert_eq!(stamp(&["a", "b"]), stamp(&["a", "b"]));
    assert_ne!(stamp(&["a", "b"]), stamp(&["ab"]));
    assert_ne!(stamp(&["a", "b"]), stamp(&["a", "c"]));
}

#[test]
fn two_locks_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let _usual = Cache::at(folder.path(), LOCK).unwrap();
    let other = Cache::at(folder.path(), ".lock-other").unwrap();
    let is_free = |name: &str| File::open(folder.path().join(name)).unwrap().try_lock().is_ok();
    assert!(!is_free(LOCK) && !is_free(".lock-other"));
    drop(other);
    assert!(is_free(".lock-other"));
}
