use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::stat::Mode;

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
fn an_empty_folder_in_the_place_of_a_file_gives_way_and_a_full_one_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::create_dir(&path).unwrap();
    fs::create_dir(beside(&path)).unwrap();
    write_durably(&path, b"whole", 0o600).unwrap();
    assert_eq!(read_if_there(&path).unwrap().as_deref(), Some("whole"));
    assert!(remove_durably(&path).unwrap());
    fs::create_dir_all(path.join("kept")).unwrap();
    assert!(write_durably(&path, b"whole", 0o600).is_err());
    assert!(remove_durably(&path).is_err());
    assert!(path.join("kept").is_dir());
    fs::remove_dir(path.join("kept")).unwrap();
    assert!(remove_durably(&path).unwrap());
    assert!(!path.exists());
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
    let device = read_if_there(Path::new("/dev/zero")).unwrap_err();
    assert!(device.is_about_content(), "{device:?}");
}

#[test]
fn an_error_names_the_path_and_what_was_tried() {
    let error = write_durably(Path::new("/proc/nothing/file"), b"", 0o600).unwrap_err();
    assert_eq!(error.to_string(), "could not make the folder /proc/nothing");
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unit.service");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    let (sender, result) = mpsc::channel();
    std::thread::spawn(move || sender.send(read_if_there(&path)));
    let error = result.recv_timeout(Duration::from_secs(10)).expect("it waits").unwrap_err();
    assert!(error.is_about_content(), "{error:?}");
}
