//! Where the files are that a program takes over while it runs, and what is said of them.

use std::os::unix::fs::PermissionsExt as _;

use oml_common::document::Verbatim;
use oml_common::document::instance::{InstanceDocument, ReloadBy, Workload};
use oml_common::id::SecretMark;

use super::*;
use crate::file_rights::may_give_files;
use crate::fixtures;

/// An instance with these files, of the owner of this process, and this version of a secret.
fn instance(texts: &[(&str, &str)], version: u64) -> InstanceDocument {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let file = |(path, text): &(&str, &str)| {
        let (path, text) = ((*path).to_owned(), (*text).to_owned());
        ContainerFile { path, mode: 0o640, uid, gid, text }
    };
    let mark: SecretMark = format!("{version:032}").parse().unwrap();
    let (name, path) = ("tls_key".parse().unwrap(), Some("/etc/web/key.pem".to_owned()));
    let secret = KeptSecret { name, version, mark, file: path };
    let by = ReloadBy::Signal { signal: "SIGHUP".to_owned() };
    let (files, secrets) = (texts.iter().map(file).collect(), [secret].into());
    let reload = Reload { by, deadline_ms: 1_000, files, secrets };
    let mut container = fixtures::container("web", "1");
    container.options.reloaded = reload.places().map(str::to_owned).collect();
    let workload = Verbatim::seal(Workload::Container(container));
    Verbatim::seal(Instance { workload, reload: Some(reload), ..fixtures::instance("web", "1") })
}

/// The same with files of the texts `a` and `b`, and with the secret at hand.
fn at_hand(paths: &Paths, version: u64) -> InstanceDocument {
    let instance = instance(&[("/etc/web/b.conf", "b"), ("/etc/web/a.conf", "a")], version);
    let secret = instance.reload.as_ref().unwrap().secrets.first().unwrap();
    let place = paths.mounted_secret(&secret.name, &secret.mark);
    files::write_durably(&place, format!("key {version}").as_bytes(), SECRET_MODE).unwrap();
    instance
}

fn placed(paths: &Paths, instance: &Instance) -> Vec<ReloadedFile> {
    placed_of(paths, instance, &instance.workload_hash())
}

fn texts(paths: &Paths, instance: &Instance) -> Vec<String> {
    let placed = placed(paths, instance);
    placed.iter().map(|file| fs::read_to_string(&file.place).unwrap()).collect()
}

fn words(paths: &Paths, instance: &Instance, held: &Instance) -> Vec<String> {
    let changes = changes(paths, instance, held.reload.as_ref());
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_content_has_its_place_by_its_path_and_another_content_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (first, second) = (at_hand(&paths, 1), at_hand(&paths, 2));
    assert_eq!(placed(&paths, &first), placed(&paths, &second));
    let found: Vec<String> = placed(&paths, &first).into_iter().map(|file| file.path).collect();
    assert_eq!(found, ["/etc/web/a.conf", "/etc/web/b.conf", "/etc/web/key.pem"]);
    ensure(&paths, &first).unwrap();
    assert_eq!(texts(&paths, &first), ["a", "b", "key 1"]);
    let key = placed(&paths, &first).remove(2).place;
    let mounted = key.metadata().unwrap();
    assert_eq!(mounted.permissions().mode() & 0o777, SECRET_MODE);
    ensure(&paths, &second).unwrap();
    assert_eq!(texts(&paths, &first), ["a", "b", "key 2"]);
    assert_eq!(key.metadata().unwrap().ino(), mounted.ino());
}

#[test]
fn a_file_of_another_user_is_his_with_every_content() {
    if !may_give_files() {
        eprintln!("skipped: this process may not give files away");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    for text in ["first", "second"] {
        let instance = instance(&[("/etc/web/a.conf", text)], 1).edited(|instance| {
            let reload = instance.reload.as_mut().unwrap();
            reload.secrets.clear();
            let file = &mut reload.files[0];
            (file.mode, file.uid, file.gid) = (0o400, 12_345, 54_321);
        });
        ensure(&paths, &instance).unwrap();
        let place = placed(&paths, &instance).remove(0).place;
        assert_eq!(fs::read_to_string(&place).unwrap(), text);
        let found = place.metadata().unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (12_345, 54_321, 0o400));
        assert_eq!(words(&paths, &instance, &instance), [""; 0]);
    }
}

#[test]
fn only_what_is_neither_desired_nor_in_the_document_of_the_host_was_changed_by_somebody() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (first, second) = (at_hand(&paths, 1), at_hand(&paths, 2));
    ensure(&paths, &first).unwrap();
    assert_eq!(words(&paths, &second, &first), [""; 0]);
    ensure(&paths, &second).unwrap();
    assert_eq!(words(&paths, &second, &first), [""; 0]);
    fs::remove_file(&placed(&paths, &first)[0].place).unwrap();
    let key = placed(&paths, &first).remove(2).place;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&key, "edited").unwrap();
    let expected = ["file /etc/web/a.conf was removed", "file /etc/web/key.pem was edited"];
    assert_eq!(words(&paths, &second, &first), expected);
}

#[test]
fn what_is_missing_is_added_without_a_change_of_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (first, second) = (at_hand(&paths, 1), at_hand(&paths, 2));
    ensure(&paths, &first).unwrap();
    fs::remove_file(&placed(&paths, &first)[1].place).unwrap();
    add_missing(&paths, &second).unwrap();
    assert_eq!(texts(&paths, &first), ["a", "b", "key 1"]);
}

#[test]
fn what_a_program_has_stays_when_its_document_names_a_secret_that_the_host_has_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (first, second) = (at_hand(&paths, 1), at_hand(&paths, 2));
    ensure(&paths, &second).unwrap();
    let placed = placed(&paths, &second);
    let secret = first.reload.as_ref().unwrap().secrets.first().unwrap();
    fs::remove_file(paths.mounted_secret(&secret.name, &secret.mark)).unwrap();
    fs::write(&placed[0].place, "edited").unwrap();
    fs::remove_file(&placed[1].place).unwrap();
    let removed = ["file /etc/web/b.conf was removed"];
    assert_eq!(words(&paths, &second, &first), removed, "what the first one was is not known");
    ensure_again(&paths, &first).unwrap();
    assert_eq!(texts(&paths, &first), ["edited", "b", "key 2"]);
    assert_eq!(words(&paths, &second, &second), ["file /etc/web/a.conf was edited"]);
    ensure_again(&paths, &second).unwrap();
    assert_eq!(texts(&paths, &first), ["a", "b", "key 2"]);
    add_missing(&paths, &first).unwrap();
    fs::remove_file(&placed[2].place).unwrap();
    for ensured in [ensure_again(&paths, &first), add_missing(&paths, &first)] {
        let error = oml_common::text::error::chain(&ensured.unwrap_err());
        assert!(error.contains("has not sent secret tls_key version 1 yet"), "{error}");
    }
}

#[test]
fn a_secret_that_was_not_sent_yet_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let instance = instance(&[], 3);
    let error = oml_common::text::error::chain(&ensure(&paths, &instance).unwrap_err());
    assert!(error.ends_with("the controller has not sent secret tls_key version 3 yet"), "{error}");
    assert!(!paths.files(&instance.component).exists());
    assert_eq!(words(&paths, &instance, &instance), [""; 0]);
}
