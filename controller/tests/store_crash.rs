//! Acknowledged commits survive a killed process and a power cut.
//!
//! The writer is this test program again, as a child. A power cut is a copy of
//! the bytes that reached the disk below the writer's file system while the
//! writer is stopped: what only the page cache held is not in it.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: failures are panics, and what is skipped is said"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use omlcontroller::store::embedded::{self, Embedded, Options};
use omlcontroller::store::{Expect, Store as _, Write};
use tempfile::TempDir;

const DIR: &str = "OML_TEST_WRITER_DIR";
const KILLS: u64 = 25;
const POWER_CUTS: u64 = 25;

/// What commit `n` writes besides its number; now and then a long value.
fn value(n: u64) -> Vec<u8> {
    let len = if n.is_multiple_of(37) { 70_000 } else { n * 7919 % 5000 };
    vec![(n % 251) as u8; len as usize]
}

async fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Options::default()).await.unwrap()
}

async fn sequence(store: &Embedded) -> Option<(u64, u64)> {
    let found = store.get(&"sequence".into()).await.unwrap()?;
    Some((found.version, str::from_utf8(&found.value).unwrap().parse().unwrap()))
}

/// Commits 1, 2, 3 … and prints each number after it was acknowledged. Does
/// nothing unless it was started as the writer.
#[tokio::test(flavor = "multi_thread")]
async fn writer_child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let store = open(dir.as_ref()).await;
    let (mut version, mut n) = match sequence(&store).await {
        Some((version, n)) => (Expect::Version(version), n),
        None => (Expect::Absent, 0),
    };
    loop {
        n += 1;
        let writes = vec![
            Write::put("sequence", version, n.to_string().into_bytes()),
            Write::put(format!("done/{n:08}"), Expect::Absent, "x"),
            Write::put(format!("slot/{}", n % 40), Expect::Any, value(n)),
        ];
        version = Expect::Version(store.commit(writes).await.unwrap().version);
        println!("acknowledged {n}");
    }
}

/// A running writer, killed at the end.
struct Writer {
    child: Child,
    /// The last acknowledged number, and the signal that it grew.
    acknowledged: Arc<(Mutex<u64>, Condvar)>,
}

impl Writer {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "writer_child", "--nocapture"]).env(DIR, dir);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let acknowledged = Arc::new((Mutex::new(0), Condvar::new()));
        let (lines, seen) = (child.stdout.take().unwrap(), Arc::clone(&acknowledged));
        thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                if let Some((_, n)) = line.split_once("acknowledged ") {
                    *seen.0.lock().unwrap() = n.parse().unwrap();
                    seen.1.notify_all();
                }
            }
        });
        Self { child, acknowledged }
    }

    fn acknowledged(&self) -> u64 {
        *self.acknowledged.0.lock().unwrap()
    }

    /// Waits until `more` further commits are acknowledged.
    fn wait_for(&self, more: u64) {
        let (count, grew) = &*self.acknowledged;
        let count = count.lock().unwrap();
        let wanted = *count + more;
        let limit = Duration::from_secs(60);
        let (_count, wait) = grew.wait_timeout_while(count, limit, |n| *n < wanted).unwrap();
        assert!(!wait.timed_out(), "the writer stands still");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended by itself; then the assertions of the test say so.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Opens the store and checks that it holds commits 1 to N whole and nothing
/// else, N being at least `acknowledged`. Returns N.
fn check(dir: &Path, acknowledged: u64, case: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let store = open(dir).await;
        let n = sequence(&store).await.map_or(0, |(_, n)| n);
        assert!(n >= acknowledged, "{case}: {acknowledged} acknowledged, {n} found");
        let done = store.list("done/").await.unwrap();
        let expected: Vec<_> = (1..=n).map(|n| format!("done/{n:08}")).collect();
        assert!(done.iter().map(|(key, _)| key.as_str()).eq(expected.iter()), "{case}");
        for last in (1..=n).rev().take(40) {
            let key = format!("slot/{}", last % 40);
            let slot = store.get(&key.as_str().into()).await.unwrap().unwrap();
            assert_eq!(slot.value, value(last), "{case}: {key}");
        }
        store.close().await;
        n
    })
}

/// How many commits to wait for in trial `n`: from at once to some hundred.
fn spread(n: u64) -> u64 {
    1 + n * n * 2654435761 % 300
}

#[test]
fn a_killed_writer_loses_nothing_that_was_acknowledged() {
    let dir = TempDir::new().unwrap();
    embedded::create(dir.path(), "test-cluster").unwrap();
    let mut found = 0;
    for trial in 0..KILLS {
        let writer = Writer::start(dir.path());
        writer.wait_for(1);
        writer.wait_for(spread(trial));
        writer.signal(Signal::SIGKILL);
        let acknowledged = writer.acknowledged();
        drop(writer);
        found = check(dir.path(), acknowledged.max(found), &format!("kill {trial}"));
    }
    println!("{KILLS} kills, {found} commits, none lost");
}

#[test]
fn a_writer_killed_while_it_opens_the_store_leaves_it_whole() {
    let dir = TempDir::new().unwrap();
    embedded::create(dir.path(), "test-cluster").unwrap();
    let writer = Writer::start(dir.path());
    writer.wait_for(100);
    let acknowledged = writer.acknowledged();
    drop(writer);
    for trial in 0..KILLS {
        let writer = Writer::start(dir.path());
        // The moment of the kill; nothing is waited for.
        thread::sleep(Duration::from_millis(trial));
        drop(writer);
        check(dir.path(), acknowledged, &format!("kill {trial} while opening"));
    }
}

/// A file with a file system in it, mounted; both are gone at the end.
struct Disk {
    mounted: PathBuf,
}

impl Disk {
    fn mount(image: &Path, on: &Path) -> Option<Self> {
        fs::create_dir_all(on).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).args([image, on]);
        let done = mount.status().is_ok_and(|status| status.success());
        done.then(|| Self { mounted: on.to_owned() })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, so that it also goes away under a writer that a failed
        // assertion left behind; the loop device goes with it.
        let unmounted = Command::new("umount").arg("-l").arg(&self.mounted).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "could not unmount");
    }
}

/// Says that the test says nothing; where it must, that is a failure.
fn skip(reason: &str) {
    let is_required = std::env::var_os("OML_LAB_REQUIRED").is_some();
    assert!(!is_required, "OML_LAB_REQUIRED is set, but {reason}");
    println!("skipped: {reason}");
}

fn small_disk(dir: &Path) -> Option<(PathBuf, Disk)> {
    if !geteuid().is_root() {
        skip("simulating power cuts needs root to mount a disk image");
        return None;
    }
    let image = dir.join("disk.img");
    fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status();
    if !made.is_ok_and(|status| status.success()) {
        skip("simulating power cuts needs mkfs.ext4");
        return None;
    }
    let disk = Disk::mount(&image, &dir.join("disk"));
    if disk.is_none() {
        skip("this system does not let root mount a disk image");
    }
    disk.map(|disk| (image, disk))
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let dir = TempDir::new().unwrap();
    let Some((image, disk)) = small_disk(dir.path()) else { return };
    let store = disk.mounted.join("store");
    embedded::create(&store, "test-cluster").unwrap();
    let writer = Writer::start(&store);
    writer.wait_for(1);
    let mut last = 0;
    for trial in 0..POWER_CUTS {
        writer.wait_for(spread(trial));
        writer.signal(Signal::SIGSTOP);
        last = writer.acknowledged();
        let copy = dir.path().join("copy.img");
        fs::copy(&image, &copy).unwrap();
        writer.signal(Signal::SIGCONT);
        let after = Disk::mount(&copy, &dir.path().join("copy")).unwrap();
        check(&after.mounted.join("store"), last, &format!("power cut {trial}"));
    }
    drop(writer);
    println!("{POWER_CUTS} power cuts, {last} commits, none lost");
}
