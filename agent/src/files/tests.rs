use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_written_file_has_its_text_and_mode_and_leaves_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/file");
    for text in ["one", "two"] {
        write_durably(&path, text.as_bytes(), 0o600).unwrap();
        assert_eq!(read_if_there(&path).unwrap().as_deref(), Some(text));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn what_a_crash_left_beside_a_file_is_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(beside(&path), "half").unwrap();
    fs::set_permissions(beside(&path), fs::Permissions::from_mode(0o666)).unwrap();
    write_volatile(&path, b"whole", 0o600).unwrap();
    assert_eq!(read_if_there(&path).unwrap().as_deref(), Some("whole"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_missing_file_is_none_and_an_oversized_one_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    assert!(read_if_there(&path).unwrap().is_none());
    assert!(!remove_durably(&path).unwrap());
    fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
    assert_eq!(read_if_there(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert!(remove_durably(&path).unwrap());
    // The kernel states no length for it.
    let endless = read_if_there(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(endless.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn an_error_names_the_path_and_what_was_tried() {
    let error = write_durably(Path::new("/proc/nothing/file"), b"", 0o600).unwrap_err();
    assert_eq!(error.to_string(), "could not make the folder /proc/nothing");
}
