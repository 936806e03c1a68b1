//! What becomes of the files of a workload on a host.

use oml_common::document::Verbatim;
use oml_common::document::instance::{InstanceDocument, Workload};

use super::*;
use crate::fixtures;

/// An instance with one file of the owner of this process, which needs no rights to be made.
fn instance(version: &str, text: &str) -> InstanceDocument {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let path = "/etc/redis/redis.conf".to_owned();
    instance_of(version, ContainerFile { path, mode: 0o640, uid, gid, text: text.to_owned() })
}

/// An instance with that file.
fn instance_of(version: &str, file: ContainerFile) -> InstanceDocument {
    let mut container = fixtures::container("redis", version);
    container.options.files = vec![file];
    let workload = Verbatim::seal(Workload::Container(container));
    Verbatim::seal(Instance { workload, ..fixtures::instance("redis", version) })
}

fn place_of(paths: &Paths, instance: &Instance) -> PathBuf {
    placed(paths, instance).remove(0).place
}

#[test]
fn a_file_has_its_text_its_mode_and_a_folder_that_only_root_enters() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let instance = instance("7", "port 6379\n");
    ensure(&paths, &instance).unwrap();
    let place = place_of(&paths, &instance);
    assert_eq!(fs::read_to_string(&place).unwrap(), "port 6379\n");
    assert_eq!(place.metadata().unwrap().mode() & PERMISSIONS, 0o640);
    let folder = place.parent().unwrap();
    assert_eq!(folder.metadata().unwrap().mode() & PERMISSIONS, FOLDER_MODE);
    assert_eq!(changes(&paths, &instance), []);
    // What is right is not written again.
    let before = place.metadata().unwrap();
    ensure(&paths, &instance).unwrap();
    let after = place.metadata().unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    // It has two names.
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
    assert_eq!(fs::metadata(second_name(&place)).unwrap().ino(), after.ino());
}

#[test]
fn every_change_by_hand_is_named_and_put_right() {
    type ByHand = fn(&Path);
    let cases: [(ByHand, &str); 6] = [
        (|p| fs::write(p, "port 1\n").unwrap(), "file /etc/redis/redis.conf was edited"),
        (|p| fs::write(p, "port 6379\nmore\n").unwrap(), "file /etc/redis/redis.conf was edited"),
        (|p| fs::remove_file(p).unwrap(), "file /etc/redis/redis.conf was removed"),
        (
            |p| fs::set_permissions(p, Permissions::from_mode(0o666)).unwrap(),
            "file /etc/redis/redis.conf has the mode 0666, not 0640",
        ),
        (
            |p| {
                fs::remove_file(p).unwrap();
                std::os::unix::fs::symlink("/etc/passwd", p).unwrap();
            },
            "file /etc/redis/redis.conf was replaced",
        ),
        (
            |p| {
                fs::remove_file(p).unwrap();
                fs::create_dir(p).unwrap();
            },
            "file /etc/redis/redis.conf was replaced: it is no file",
        ),
    ];
    for (by_hand, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let instance = instance("7", "port 6379\n");
        ensure(&paths, &instance).unwrap();
        let place = place_of(&paths, &instance);
        by_hand(&place);
        let found = changes(&paths, &instance);
        assert!(found.len() == 1 && found[0].to_string().starts_with(expected), "{found:?}");
        ensure(&paths, &instance).unwrap();
        assert_eq!(changes(&paths, &instance), [], "{expected}");
        assert_eq!(fs::read_to_string(&place).unwrap(), "port 6379\n");
    }
    assert_eq!(fs::metadata("/etc/passwd").unwrap().mode() & 0o022, 0);
}

#[test]
fn an_edited_file_is_written_in_place_because_its_container_has_it_mounted() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let instance = instance("7", "port 6379\n");
    ensure(&paths, &instance).unwrap();
    let place = place_of(&paths, &instance);
    let mounted = place.metadata().unwrap().ino();
    fs::write(&place, "port 1, and a much longer line\n").unwrap();
    ensure(&paths, &instance).unwrap();
    assert_eq!(place.metadata().unwrap().ino(), mounted);
    assert_eq!(fs::read_to_string(&place).unwrap(), "port 6379\n");
}

#[test]
fn a_file_that_was_replaced_is_again_the_one_that_the_container_has() {
    let by_hand: [fn(&Path); 4] = [
        |place| {
            let other = place.with_extension("other");
            fs::write(&other, "port 6379\n").unwrap();
            fs::rename(other, place).unwrap();
        },
        |place| fs::remove_file(place).unwrap(),
        |place| {
            fs::remove_file(place).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", place).unwrap();
        },
        |place| {
            fs::remove_file(place).unwrap();
            fs::create_dir(place).unwrap();
        },
    ];
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let instance = instance("7", "port 6379\n");
    ensure(&paths, &instance).unwrap();
    let place = place_of(&paths, &instance);
    let mounted = place.metadata().unwrap().ino();
    for replace in by_hand {
        replace(&place);
        assert_eq!(changes(&paths, &instance).len(), 1);
        ensure(&paths, &instance).unwrap();
        assert_eq!(changes(&paths, &instance), []);
        assert_eq!(place.symlink_metadata().unwrap().ino(), mounted);
        assert_eq!(fs::read_to_string(&place).unwrap(), "port 6379\n");
    }
}

#[test]
fn a_file_of_another_user_is_made_compared_and_put_right_in_place() {
    type ByHand = fn(&Path);
    if !may_give_files() {
        eprintln!("skipped: this process may not give files away");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (path, text) = ("/etc/redis/redis.conf".to_owned(), "port 6379\n".to_owned());
    let file = ContainerFile { path, mode: 0o400, uid: 12_345, gid: 54_321, text };
    let instance = instance_of("7", file);
    ensure(&paths, &instance).unwrap();
    let place = place_of(&paths, &instance);
    let owner = |place: &Path| {
        let found = place.metadata().unwrap();
        (found.uid(), found.gid(), found.mode() & PERMISSIONS)
    };
    assert_eq!(owner(&place), (12_345, 54_321, 0o400));
    // On the host nobody else comes as far as the file.
    let folder = place.parent().unwrap().metadata().unwrap();
    assert_eq!((folder.uid(), folder.mode() & PERMISSIONS), (geteuid().as_raw(), FOLDER_MODE));
    assert_eq!(changes(&paths, &instance), []);
    let mounted = place.metadata().unwrap().ino();
    let cases: [(ByHand, &str); 3] = [
        (|p| fs::write(p, "port 1\n").unwrap(), "was edited"),
        (
            |p| std::os::unix::fs::chown(p, Some(7), Some(8)).unwrap(),
            "belongs to 7:8, not 12345:54321",
        ),
        (|p| fs::set_permissions(p, Permissions::from_mode(0o666)).unwrap(), "has the mode 0666"),
    ];
    for (by_hand, expected) in cases {
        by_hand(&place);
        let found = changes(&paths, &instance);
        assert!(found.len() == 1 && found[0].to_string().contains(expected), "{found:?}");
        ensure(&paths, &instance).unwrap();
        assert_eq!(changes(&paths, &instance), [], "{expected}");
        assert_eq!(owner(&place), (12_345, 54_321, 0o400), "{expected}");
        assert_eq!(place.metadata().unwrap().ino(), mounted, "{expected}");
    }
}

#[test]
fn the_files_of_the_version_to_roll_back_to_are_kept_and_older_ones_removed() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let [old, previous, new] =
        [("5", "a"), ("6", "b"), ("7", "c")].map(|(version, text)| instance(version, text));
    for instance in [&old, &previous, &new] {
        ensure(&paths, instance).unwrap();
    }
    let keep = [previous.workload_hash(), new.workload_hash()];
    remove(&paths, &new.component, &keep).unwrap();
    let kept = |instance: &InstanceDocument| place_of(&paths, instance).exists();
    assert_eq!([kept(&old), kept(&previous), kept(&new)], [false, true, true]);
    remove(&paths, &new.component, &[]).unwrap();
    assert!(!paths.files(&new.component).exists());
    // Nothing is left to remove.
    remove(&paths, &new.component, &[]).unwrap();
}

#[test]
fn a_name_on_the_host_has_only_plain_letters() {
    assert_eq!(name(3, "/etc/a b\u{e9}.conf"), "3-ab.conf");
    assert_eq!(name(0, &format!("/{}", "x".repeat(300))).len(), 2 + NAME_CHARS_MAX);
}
