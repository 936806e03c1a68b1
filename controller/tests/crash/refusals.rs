//! Stores that the program does not start on, or cannot write: it says which
//! file it is about, in one line, and leaves everything where it is.
#![expect(
    clippy::disallowed_methods,
    reason = "whoever runs it says whether the host must have what it needs"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tonic::Code;

use crate::process::Controller;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(dir: &Path) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

/// Starts the program, which must refuse; returns its one line.
fn refused(controller: &Controller) -> String {
    let before = files(&controller.path("data"));
    let ended = controller.run_to_the_end(&["run"]);
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(files(&controller.path("data")) == before, "something was moved or written: {said}");
    said
}

async fn stopped() -> Controller {
    let mut controller = Controller::installed(&[]).await;
    controller.kill();
    controller
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_refuses_a_store_that_is_cut_short() {
    let controller = stopped().await;
    let header = controller.path("data/store/header");
    let text = fs::read(&header).unwrap();
    fs::write(&header, &text[..text.len() / 2]).unwrap();
    let said = refused(&controller);
    assert!(said.contains(header.to_str().unwrap()), "{said}");
    fs::write(&header, text).unwrap();
    fs::remove_file(controller.path("data/store/db")).unwrap();
    let said = refused(&controller);
    assert!(said.contains("data/store/db is missing or cut short"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_refuses_a_store_that_belongs_to_others() {
    let (controller, other) = (stopped().await, stopped().await);
    let store = controller.path("data/store");
    let database = fs::read(store.join("db")).unwrap();
    fs::write(store.join("db"), "notes of somebody else\n".repeat(5000)).unwrap();
    let said = refused(&controller);
    assert!(said.contains(store.join("db").to_str().unwrap()), "{said}");
    fs::write(store.join("db"), database).unwrap();
    fs::rename(&store, controller.path("set-aside")).unwrap();
    fs::rename(other.path("data/store"), &store).unwrap();
    let said = refused(&controller);
    assert!(said.contains(store.to_str().unwrap()), "{said}");
    assert!(said.contains("belongs to another controller"), "{said}");
}

/// A small file system of its own, taken away at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=96m", "tmpfs"]).arg(at).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(at.to_owned()));
        }
        let is_required = std::env::var_os("OML_LAB_REQUIRED").is_some();
        assert!(!is_required, "OML_LAB_REQUIRED is set, but a small disk cannot be mounted");
        eprintln!("skipped: a small disk cannot be mounted");
        None
    }

    fn fill(&self) {
        let mut dd = Command::new("dd");
        dd.args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}/ballast", self.0.display()));
        assert!(!dd.output().unwrap().status.success(), "the disk is full");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "could not unmount");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_names_the_store_that_is_full_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&dir.path().join("data")) else { return };
    let mut controller = Controller::installed_in(dir, &[]).await;
    disk.fill();
    let refused = controller.change(1).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains(disk.0.join("store").to_str().unwrap()), "{refused}");
    fs::remove_file(disk.0.join("ballast")).unwrap();
    assert_eq!(controller.change(1).await.unwrap().revision, 2);
    controller.kill();
}
