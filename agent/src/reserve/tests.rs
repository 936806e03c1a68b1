use std::cell::Cell;
use std::io;

use super::*;

fn full(paths: &Paths) -> FileError {
    FileError::of("write", &paths.state)(io::Error::from(ErrorKind::StorageFull))
}

#[test]
fn a_write_that_finds_the_disk_full_is_done_with_the_room_of_the_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    allocate(&paths, 0).unwrap();
    assert_eq!(std::fs::metadata(paths.reserve()).unwrap().len(), 1 << 20);
    let write = || if paths.reserve().exists() { Err(full(&paths)) } else { Ok("written") };
    assert_eq!(release_and_retry(&paths, write).unwrap(), "written");
    allocate(&paths, 0).unwrap();
    assert!(paths.reserve().exists());
}

#[test]
fn without_a_reserve_a_full_disk_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let tries = Cell::new(0);
    let write = || -> Result<(), FileError> {
        tries.set(tries.get() + 1);
        Err(full(&paths))
    };
    assert_eq!(release_and_retry(&paths, write).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(tries.get(), 1);
}

#[test]
fn another_failure_leaves_the_reserve_alone() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    allocate(&paths, 0).unwrap();
    let denied = || -> Result<(), FileError> {
        Err(FileError::of("write", &paths.state)(io::Error::from(ErrorKind::PermissionDenied)))
    };
    assert!(release_and_retry(&paths, denied).is_err());
    assert!(paths.reserve().exists());
}
