//! What is written, who can read it, and when it goes.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use oml_common::document::assignment::{ChangePolicy, Content, Desired, OnDeadline};
use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::id::{Generation, RevisionNumber};
use zeroize::Zeroizing;

use super::*;
use crate::fixtures;

fn mark(version: u64) -> SecretMark {
    format!("{version:032x}").parse().unwrap()
}

fn name() -> SecretName {
    "redis".parse().unwrap()
}

fn sent(version: u64, is_mounted: bool) -> SentSecret {
    let value = SecretText::read(Zeroizing::new(format!("value {version}"))).unwrap();
    SentSecret { name: name(), version, mark: mark(version), is_mounted, value }
}

/// The instance of a component that names that version.
fn instance(component: &str, version: u64) -> InstanceDocument {
    let kept = KeptSecret { name: name(), version, mark: mark(version), file: None };
    let workload = fixtures::instance(component, "1").workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.kept_secrets = [("PASSWORD".parse().unwrap(), kept)].into();
        }
    });
    fixtures::document(component, "1").edited(|instance| instance.workload = workload)
}

fn assignment(instances: Vec<InstanceDocument>) -> Assignment {
    let on_deadline = OnDeadline::Wait;
    let policy =
        ChangePolicy { soak_ms: 1, drain_deadline_ms: 1, on_deadline, forward_only: false };
    let desired = |instance: InstanceDocument| {
        (instance.component.clone(), Desired { instance, policy: policy.clone() })
    };
    Assignment {
        generation: Generation { epoch: 1, number: 1 },
        tenant: "acme".parse().unwrap(),
        node: "voice-1".parse().unwrap(),
        content: Content {
            revision: RevisionNumber(1),
            policy: None,
            share: instances.into_iter().map(desired).collect(),
        },
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_secret_is_written_once_and_only_root_can_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    assert!(write(&paths, &[sent(1, false), sent(2, true)]).unwrap());
    assert!(!write(&paths, &[sent(1, false), sent(2, true)]).unwrap(), "they are there");
    for dir in [paths.kept_secrets(), paths.mounted_secrets()] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    let file = paths.kept_secret(&name(), &mark(1));
    assert_eq!((mode(&file), std::fs::read_to_string(&file).unwrap().as_str()), (0o600, "value 1"));
    assert!(!paths.mounted_secret(&name(), &mark(1)).exists());
    // The program of a container may run as any user; the folder keeps those of the host away.
    assert_eq!(mode(&paths.mounted_secret(&name(), &mark(2))), 0o444);
    let kept = |version: u64, file: Option<String>| {
        is_here(&paths, &KeptSecret { name: name(), version, mark: mark(version), file })
    };
    assert!(kept(1, None) && kept(2, None) && kept(2, Some("/run/x".to_owned())));
    assert!(!kept(1, Some("/run/x".to_owned())) && !kept(3, None));
}

#[test]
fn what_neither_the_assignment_nor_a_document_names_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    write(&paths, &[sent(1, true), sent(2, false), sent(3, true)]).unwrap();
    let wanted = assignment(vec![instance("redis", 3)]);
    let there = |version: u64| paths.kept_secret(&name(), &mark(version)).exists();
    // The version before is kept for as long as the host may go back to it.
    documents::write(&paths, &instance("redis", 2), Slot::Previous).unwrap();
    assert_eq!(remove_unnamed(&paths, None).unwrap(), 0, "nothing is known");
    assert_eq!(remove_unnamed(&paths, Some(&wanted)).unwrap(), 2);
    assert_eq!((there(1), there(2), there(3)), (false, true, true));
    assert!(!paths.mounted_secret(&name(), &mark(1)).exists());
    documents::remove(&paths, &"redis".parse().unwrap()).unwrap();
    assert_eq!(remove_unnamed(&paths, Some(&wanted)).unwrap(), 1);
    assert_eq!(remove_unnamed(&paths, Some(&assignment(Vec::new()))).unwrap(), 2);
    assert!(!there(3));
}

#[test]
fn nothing_is_removed_while_a_document_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    write(&paths, &[sent(1, false)]).unwrap();
    documents::write(&paths, &instance("redis", 1), Slot::Current).unwrap();
    std::fs::write(paths.document(&"redis".parse().unwrap(), Slot::Current), "{").unwrap();
    assert_eq!(remove_unnamed(&paths, Some(&assignment(Vec::new()))).unwrap(), 0);
}

fn edited(paths: &Paths, version: u64) -> (bool, bool) {
    let secret = KeptSecret { name: name(), version, mark: mark(version), file: None };
    let found = find_edited(paths, [&secret]);
    (found.left.contains(&secret), found.put_right.contains(&secret))
}

/// Somebody edits a file, in place as an editor of lines does or by another file under its name.
fn edit(path: &Path, in_place: bool) {
    if !in_place {
        std::fs::remove_file(path).unwrap();
    }
    std::fs::write(path, "edited").unwrap();
}

#[test]
fn an_edited_file_of_a_secret_is_written_again_from_the_other_one_and_a_container_sees_it() {
    for (is_kept, in_place) in [(true, true), (true, false), (false, true), (false, false)] {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        write(&paths, &[sent(1, true)]).unwrap();
        assert_eq!(edited(&paths, 1), (false, false));
        let (kept, mounted) =
            (paths.kept_secret(&name(), &mark(1)), paths.mounted_secret(&name(), &mark(1)));
        let (path, expected) = if is_kept { (&kept, 0o600) } else { (&mounted, 0o444) };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        edit(path, in_place);
        let inode = path.metadata().unwrap().ino();
        assert_eq!(edited(&paths, 1), (false, true));
        assert_eq!(edited(&paths, 1), (false, false), "it is returned once");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "value 1");
        assert_eq!((mode(path), path.metadata().unwrap().ino()), (expected, inode));
    }
}

#[test]
fn an_edited_secret_without_another_file_is_left_until_the_controller_sends_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    write(&paths, &[sent(1, false)]).unwrap();
    let path = paths.kept_secret(&name(), &mark(1));
    std::fs::write(&path, "edited").unwrap();
    for _look in 0..2 {
        assert_eq!(edited(&paths, 1), (true, false));
    }
    assert!(write(&paths, &[sent(1, false)]).unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "value 1");
    // The loop may be another process by then.
    assert_eq!(edited(&paths, 1), (false, true));
    let secret = KeptSecret { name: name(), version: 1, mark: mark(1), file: None };
    forget_edit(&paths, &secret).unwrap();
    assert_eq!(edited(&paths, 1), (false, false));
    assert!(!write(&paths, &[sent(1, false)]).unwrap());
}

#[test]
fn a_secret_that_an_earlier_release_wrote_was_edited_only_if_it_is_not_what_the_controller_sends() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    write(&paths, &[sent(1, true), sent(2, true)]).unwrap();
    std::fs::remove_dir_all(paths.secret_notes()).unwrap();
    std::fs::write(paths.kept_secret(&name(), &mark(2)), "edited").unwrap();
    assert_eq!((edited(&paths, 1), edited(&paths, 2)), ((false, false), (false, false)));
    assert!(write(&paths, &[sent(1, true), sent(2, true)]).unwrap());
    assert_eq!((edited(&paths, 1), edited(&paths, 2)), ((false, false), (false, true)));
}

#[test]
fn a_note_goes_with_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    write(&paths, &[sent(1, false), sent(3, false)]).unwrap();
    let there = |version: u64| paths.secret_note(&name(), &mark(version)).exists();
    remove_unnamed(&paths, Some(&assignment(vec![instance("redis", 3)]))).unwrap();
    assert_eq!((there(1), there(3)), (false, true));
    assert_eq!(mode(&paths.secret_note(&name(), &mark(3))), 0o600);
}
