//! Tests of opening folders: which are accepted, which are refused, and with which
//! messages.
#![expect(clippy::disallowed_methods, reason = "the environment says whether these tests must run")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::store::Expect;

const KEYS: usize = 40;

async fn open(dir: &Path) -> Result<Embedded, OpenError> {
    Embedded::open(dir, Options::default()).await
}

/// Makes a closed store with some small values and one value of several pieces.
async fn filled() -> (TempDir, Contents) {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), "test-cluster").unwrap();
    let store = open(dir.path()).await.unwrap();
    for n in 0..KEYS {
        let key = format!("key/{n}");
        let value = vec![n as u8; if n == 7 { 20_000 } else { 100 + n }];
        store.commit(vec![Write::put(key, Expect::Absent, value)]).await.unwrap();
    }
    store.commit(vec![Write::delete("key/3", Expect::Any)]).await.unwrap();
    let contents = contents(&store).await;
    store.close().await;
    (dir, contents)
}

type Contents = BTreeMap<String, (u64, Vec<u8>)>;

async fn contents(store: &Embedded) -> Contents {
    let found = store.list("").await.unwrap();
    found.into_iter().map(|(k, v)| (k.to_string(), (v.version, v.value.to_vec()))).collect()
}

/// Copies a store, so that each test case damages its own copy.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
        }
    }
    to
}

/// Opens a damaged store twice and returns the error, which must be the same
/// both times.
async fn refused(dir: &Path) -> String {
    let first = open(dir).await.unwrap_err().to_string();
    let second = open(dir).await.unwrap_err().to_string();
    assert_eq!(first, second, "it must still be refused");
    first
}

#[tokio::test]
async fn acknowledged_commits_are_there_after_opening_again() {
    let (dir, expected) = filled().await;
    assert_eq!(expected.len(), KEYS - 1);
    let store = open(dir.path()).await.unwrap();
    assert_eq!(store.cluster(), "test-cluster");
    assert_eq!(contents(&store).await, expected);
    let commit = store.commit(vec![Write::put("more", Expect::Absent, "x")]).await.unwrap();
    assert_eq!(commit.version, KEYS as u64 + 2);
}

#[tokio::test]
async fn opening_a_folder_without_a_store_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let message = refused(dir.path()).await;
    assert!(
        message.contains("header does not exist") && message.contains("omlcontroller init"),
        "{message}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing may be written");
    let missing = dir.path().join("missing");
    assert!(refused(&missing).await.contains("does not exist"));
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_store_can_be_made_only_in_an_empty_folder() {
    let (dir, expected) = filled().await;
    let error = create(dir.path(), "other").unwrap_err();
    assert!(matches!(error, OpenError::NotEmpty { .. }), "{error}");
    assert_eq!(contents(&open(dir.path()).await.unwrap()).await, expected);
}

#[tokio::test]
async fn a_store_can_be_open_only_once() {
    let (dir, _) = filled().await;
    let store = open(dir.path()).await.unwrap();
    let error = open(dir.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    store.close().await;
    assert!(open(dir.path()).await.is_ok());
}

/// A file of a store that somebody else has locked.
fn locked(dir: &Path, name: &str) -> fs::File {
    let file = fs::File::open(dir.join(name)).unwrap();
    file.lock().unwrap();
    file
}

#[tokio::test]
async fn a_lock_that_is_about_to_be_released_does_not_fail_the_opening() {
    let (dir, expected) = filled().await;
    for name in ["header", "db"] {
        let holder = locked(dir.path(), name);
        let mut opening = pin!(open(dir.path()));
        let early = tokio::time::timeout(Duration::from_millis(50), &mut opening).await;
        assert!(early.is_err(), "{name} is locked: {:?}", early.map(|opened| opened.is_ok()));
        drop(holder);
        let store = opening.await.unwrap();
        assert_eq!(contents(&store).await, expected, "{name}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_lock_that_stays_held_is_refused_by_the_name_of_the_file() {
    let (dir, _) = filled().await;
    for name in ["header", "db"] {
        let _holder = locked(dir.path(), name);
        let message = open(dir.path()).await.unwrap_err().to_string();
        let expected = format!("/{name} is in use by another process; stop that process first");
        assert!(message.ends_with(&expected), "{message}");
    }
}

#[tokio::test]
async fn a_missing_or_empty_file_is_named() {
    let (dir, _) = filled().await;
    for file in ["header", "db", "conf"] {
        let damaged = copy(dir.path());
        fs::write(damaged.path().join(file), "").unwrap();
        let message = refused(damaged.path()).await;
        assert!(message.contains(&format!("/{file} is missing or cut short")), "{message}");
        fs::remove_file(damaged.path().join(file)).unwrap();
        let message = refused(damaged.path()).await;
        assert!(message.contains(&format!("/{file} ")), "{message}");
        assert!(!damaged.path().join(file).exists(), "the file must not be made again");
    }
}

#[tokio::test]
async fn a_store_cut_short_anywhere_is_intact_or_refused() {
    let (dir, expected) = filled().await;
    let len = fs::metadata(dir.path().join("db")).unwrap().len();
    for cut in (0..len).step_by(len as usize / 97) {
        let damaged = copy(dir.path());
        let file = fs::OpenOptions::new().write(true).open(damaged.path().join("db")).unwrap();
        file.set_len(cut).unwrap();
        intact_or_refused(damaged.path(), &expected, &format!("cut at {cut}")).await;
    }
}

async fn intact_or_refused(dir: &Path, expected: &Contents, case: &str) -> bool {
    match open(dir).await {
        Ok(store) => {
            assert_eq!(contents(&store).await, *expected, "{case}");
            store.close().await;
            true
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(dir.to_str().unwrap()), "{case}: {message}");
            false
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_refused_or_has_no_effect() {
    let (dir, expected) = filled().await;
    let db = fs::read(dir.path().join("db")).unwrap();
    let used = db.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut refused = 0;
    for position in (0..used).step_by(used / 199) {
        let damaged = copy(dir.path());
        let mut bytes = db.clone();
        bytes[position] ^= 0x41;
        fs::write(damaged.path().join("db"), bytes).unwrap();
        let case = format!("byte {position} of {used}");
        refused += usize::from(!intact_or_refused(damaged.path(), &expected, &case).await);
    }
    assert!(refused > 0, "some of these bytes matter");
}

#[tokio::test]
async fn a_flipped_byte_in_the_header_or_conf_is_refused_or_has_no_effect() {
    let (dir, expected) = filled().await;
    for file in ["header", "conf"] {
        let good = fs::read(dir.path().join(file)).unwrap();
        for position in 0..good.len() {
            let damaged = copy(dir.path());
            let mut bytes = good.clone();
            bytes[position] ^= 0x01;
            fs::write(damaged.path().join(file), bytes).unwrap();
            let case = format!("{file}, byte {position}");
            intact_or_refused(damaged.path(), &expected, &case).await;
        }
        for len in 0..good.len() {
            let damaged = copy(dir.path());
            fs::write(damaged.path().join(file), &good[..len]).unwrap();
            let case = format!("{file}, {len} bytes");
            intact_or_refused(damaged.path(), &expected, &case).await;
        }
    }
}

/// Returns the names of the snapshots that sled left in a store.
fn snapshots(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.starts_with("snap.")).collect()
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_or_has_no_effect() {
    let (dir, expected) = filled().await;
    open(dir.path()).await.unwrap().close().await;
    let names = snapshots(dir.path());
    assert!(!names.is_empty());
    for name in names {
        let good = fs::read(dir.path().join(&name)).unwrap();
        let flipped = (0..good.len()).step_by(7).map(|position| {
            let mut bytes = good.clone();
            bytes[position] ^= 0x41;
            bytes
        });
        let cut = (0..good.len()).step_by(7).map(|len| good[..len].to_vec());
        for (case, bytes) in flipped.chain(cut).enumerate() {
            let damaged = copy(dir.path());
            fs::write(damaged.path().join(&name), bytes).unwrap();
            intact_or_refused(damaged.path(), &expected, &format!("{name}, case {case}")).await;
        }
        fs::remove_file(dir.path().join(&name)).unwrap();
    }
    intact_or_refused(dir.path(), &expected, "no snapshot").await;
}

#[tokio::test]
async fn a_snapshot_that_a_crash_cut_off_is_ignored() {
    let (dir, expected) = filled().await;
    open(dir.path()).await.unwrap().close().await;
    let unfinished = dir.path().join(format!("{}.generating", snapshots(dir.path())[0]));
    fs::write(&unfinished, "half").unwrap();
    assert!(intact_or_refused(dir.path(), &expected, "unfinished snapshot").await);
}

#[tokio::test]
async fn a_foreign_file_is_refused_and_left_as_it_is() {
    let (dir, _) = filled().await;
    let damaged = copy(dir.path());
    fs::write(damaged.path().join("header"), "#!/bin/sh\n").unwrap();
    let message = refused(damaged.path()).await;
    assert!(message.contains("/header does not belong to this store"), "{message}");
    assert_eq!(fs::read(damaged.path().join("header")).unwrap(), b"#!/bin/sh\n");
}

#[tokio::test]
async fn a_database_of_another_cluster_is_refused() {
    let (dir, _) = filled().await;
    let other = tempfile::tempdir().unwrap();
    create(other.path(), "other-cluster").unwrap();
    let damaged = copy(dir.path());
    fs::copy(other.path().join("db"), damaged.path().join("db")).unwrap();
    let message = refused(damaged.path()).await;
    assert!(message.contains("/db does not belong to this store"), "{message}");
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), "test-cluster").unwrap();
    let old = copy(dir.path());
    let store = open(dir.path()).await.unwrap();
    store.commit(vec![Write::put("a", Expect::Absent, "1")]).await.unwrap();
    store.close().await;
    fs::copy(old.path().join("db"), dir.path().join("db")).unwrap();
    let message = refused(dir.path()).await;
    assert!(
        message.contains("/db is damaged: its last commit is 0, but commit 1 was"),
        "{message}"
    );
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let (dir, _) = filled().await;
    let header = dir.path().join("header");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(&header, text.replace("format 1", "format 2")).unwrap();
    let message = refused(dir.path()).await;
    assert!(
        message.contains("/header has format 2, and this release reads formats up to 1"),
        "{message}"
    );
}

#[tokio::test]
async fn a_nearly_full_disk_refuses_puts_and_allows_deletes() {
    let (dir, _) = filled().await;
    let options = Options { reserve_size_bytes: u64::MAX, ..Options::default() };
    let store = Embedded::open(dir.path(), options).await.unwrap();
    let put = vec![Write::put("a", Expect::Any, "1")];
    let error = store.commit(put).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }) && error.is_transient(), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    assert_eq!(store.get(&"a".into()).await.unwrap(), None);
    store.commit(vec![Write::delete("key/1", Expect::Any)]).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_refuses_reads_and_commits() {
    let (dir, _) = filled().await;
    let store = open(dir.path()).await.unwrap();
    store.shared.stop("it was closed");
    let error = store.get(&"key/1".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Stopped { .. }), "{error}");
    let error = store.commit(vec![Write::put("a", Expect::Any, "1")]).await.unwrap_err();
    assert!(error.to_string().contains("it was closed"), "{error}");
}

/// Reports that the test is skipped, and fails if the environment requires it to run.
fn skip(reason: &str) {
    let is_required = std::env::var_os("OML_LAB_REQUIRED").is_some();
    assert!(!is_required, "OML_LAB_REQUIRED is set, but {reason}");
    println!("skipped: {reason}");
}

/// A small mounted file system, which is unmounted when this is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts a tmpfs; returns `None` without the right to mount.
    fn mount(size: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip("mounting a small disk needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path());
        let mounted = mount.status().unwrap().success();
        if !mounted {
            skip("this system does not let root mount a tmpfs");
        }
        mounted.then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "cannot unmount the disk");
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_freed_space_is_used_without_a_restart() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    for (round, value_len) in [300, 5_000, 100_000, 1 << 20].into_iter().enumerate() {
        let dir = disk.path().join(format!("store{round}"));
        create(&dir, "test-cluster").unwrap();
        let options = Options { reserve_size_bytes: 0, ..Options::default() };
        let store = Embedded::open(&dir, options).await.unwrap();
        fill_and_free(&store, disk.path(), value_len).await;
        store.close().await;
        fs::remove_dir_all(dir).unwrap();
    }
}

/// Commits until the disk is full, frees space, and commits again.
async fn fill_and_free(store: &Embedded, disk: &Path, value_len: usize) {
    let ballast = disk.join("ballast");
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}", ballast.display()));
    let filled = dd.stderr(std::process::Stdio::null()).status().unwrap();
    assert!(!filled.success(), "the disk must be full");
    let put = |n: usize| vec![Write::put(format!("key/{n:06}"), Expect::Any, vec![7; value_len])];
    let mut acknowledged = 0;
    let error = loop {
        match store.commit(put(acknowledged)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_transient(), "{error}");
    assert!(store.commit(put(0)).await.is_err(), "the disk is still full");
    fs::remove_file(ballast).unwrap();
    store.commit(put(acknowledged)).await.unwrap();
    assert_eq!(store.list("key/").await.unwrap().len(), acknowledged + 1, "size {value_len}");
}
