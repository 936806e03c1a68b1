use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let all = folder.read_dir().unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_appears_when_it_is_complete_and_only_its_owner_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.toml");
    let mut file = WholeFile::create(&path).unwrap();
    file.file().write_all(b"whole").unwrap();
    assert!(!path.exists());
    file.publish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["bundle.toml"]);
}

#[test]
fn nothing_is_left_of_a_file_that_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    drop(WholeFile::create(&folder.path().join("bundle.toml")).unwrap());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_that_exists_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.toml");
    let file = WholeFile::create(&path).unwrap();
    std::fs::write(&path, "other").unwrap();
    let taken = |error: io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    assert!(taken(WholeFile::create(&path).unwrap_err()));
    assert!(taken(file.publish().unwrap_err()));
    assert_eq!(std::fs::read(&path).unwrap(), b"other");
    assert_eq!(names(folder.path()), ["bundle.toml"]);
    let nowhere = std::os::unix::fs::symlink("nowhere", folder.path().join("link"));
    nowhere.unwrap();
    assert!(taken(WholeFile::create(&folder.path().join("link")).unwrap_err()));
}
