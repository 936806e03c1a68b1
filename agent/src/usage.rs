//! The use of the host's processor, memory and disk, from the kernel's counters.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{Statvfs, statvfs};
use oml_common::document::report::HostUsage;
use tokio::sync::watch;
use tracing::warn;

/// Where an engine keeps its images, until it has said otherwise.
const USUAL_FOLDER: &str = "/var/lib/docker";

/// Samples use; keeps the last reading, because the processor's use is a difference.
#[derive(Debug)]
pub struct Sampler {
    /// The folders where the engine keeps images; empty until it has said so.
    folders: watch::Receiver<Vec<PathBuf>>,
    before: Option<CpuTimes>,
    /// What could not be read and was logged.
    logged: BTreeSet<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CpuTimes {
    busy: u64,
    all: u64,
}

impl Sampler {
    /// Watches the disk of the engine's images with the least free space. Until the engine has
    /// said where they are, it is that of the usual folder, if there is one.
    #[must_use]
    pub fn new(folders: watch::Receiver<Vec<PathBuf>>) -> Self {
        Self { folders, before: None, logged: BTreeSet::new() }
    }

    /// The use since the last sample. The processor's is unknown in the first; what cannot be read
    /// is unknown or 0 of 0, and logged once.
    pub fn sample(&mut self) -> HostUsage {
        let cpu = cpu_times(&self.read("/proc/stat"));
        let share = cpu.and_then(|now| Some(permille(self.before?, now)));
        self.before = cpu;
        let (memory_used_bytes, memory_total_bytes) = memory(&self.read("/proc/meminfo"));
        let (disk_used_bytes, disk_total_bytes) = self.disk_use();
        HostUsage {
            cpu_permille: share.unwrap_or(0),
            memory_used_bytes,
            memory_total_bytes,
            disk_used_bytes,
            disk_total_bytes,
            cpu_unknown: share.is_none(),
        }
    }

    fn read(&mut self, path: &'static str) -> String {
        let read = std::fs::read_to_string(path);
        self.note(path, read).unwrap_or_default()
    }

    fn disk_use(&mut self) -> (u64, u64) {
        let known = self.folders.borrow().clone();
        let folders = if known.is_empty() { usual(Path::new(USUAL_FOLDER)) } else { known };
        let read = folders.iter().map(statvfs);
        let read: Result<Vec<Statvfs>, _> = read.collect();
        let Some(disks) = self.note("the disk of the images", read) else { return (0, 0) };
        let free = |disk: &Statvfs| disk.blocks_available().saturating_mul(disk.fragment_size());
        let Some(disk) = disks.into_iter().min_by_key(free) else { return (0, 0) };
        let (block, all, free) = (disk.fragment_size(), disk.blocks(), disk.blocks_free());
        (all.saturating_sub(free).saturating_mul(block), all.saturating_mul(block))
    }

    /// Logs the first failure in a row.
    fn note<T, E: Display>(&mut self, what: &'static str, read: Result<T, E>) -> Option<T> {
        match read {
            Ok(value) => {
                self.logged.remove(what);
                Some(value)
            }
            Err(error) => {
                if self.logged.insert(what) {
                    warn!(what, %error, "cannot read host usage");
                }
                None
            }
        }
    }
}

/// Returns the folder if it exists; another one may be on another disk.
fn usual(folder: &Path) -> Vec<PathBuf> {
    Some(folder.to_owned()).filter(|folder| folder.is_dir()).into_iter().collect()
}

/// The first line of `/proc/stat` (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal.
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> =
        line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let all = times.iter().sum();
    let idle: u64 = times.get(3..5)?.iter().sum();
    Some(CpuTimes { busy: all - idle, all })
}

fn permille(before: CpuTimes, now: CpuTimes) -> u32 {
    let all = now.all.saturating_sub(before.all);
    let busy = now.busy.saturating_sub(before.busy).min(all);
    u32::try_from((busy * 1000).checked_div(all).unwrap_or(0)).unwrap_or(1000)
}

/// Used and all memory from `/proc/meminfo` (proc_meminfo(5)).
fn memory(meminfo: &str) -> (u64, u64) {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    };
    let all = field("MemTotal").unwrap_or(0);
    (all.saturating_sub(field("MemAvailable").unwrap_or(all)), all)
}

#[cfg(test)]
mod tests {
    //! Readings of the kernel's texts.

    use super::*;

    #[test]
    fn use_of_the_processor_is_the_share_between_two_samples() {
        let before = cpu_times("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1").unwrap();
        let now = cpu_times("cpu  150 0 150 850 150 0 0 0 0 0\n").unwrap();
        assert_eq!(permille(before, now), 333);
        assert_eq!(permille(now, now), 0);
    }

    #[test]
    fn the_first_sample_does_not_say_that_the_processor_rests() {
        let mut sampler = Sampler::new(watch::channel(Vec::new()).1);
        assert!(sampler.sample().cpu_unknown);
        assert!(!sampler.sample().cpu_unknown);
    }

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        let text = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n";
        assert_eq!(memory(text), (600 * 1024, 1000 * 1024));
    }

    #[test]
    fn the_disk_of_the_images_is_unknown_until_their_folder_is_and_changes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(usual(&dir.path().join("docker")), [] as [PathBuf; 0]);
        assert_eq!(usual(dir.path()), [dir.path()]);
        let (sender, folders) = watch::channel(Vec::new());
        let mut sampler = Sampler::new(folders);
        let before = sampler.disk_use();
        assert_eq!(before.1 > 0, Path::new(USUAL_FOLDER).is_dir());
        sender.send_replace(vec![dir.path().to_owned()]);
        assert!(sampler.disk_use().1 > 0);
        sender.send_replace(vec![dir.path().join("not-mounted")]);
        assert_eq!(sampler.disk_use(), (0, 0));
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        assert_eq!(cpu_times(""), None);
        assert_eq!(memory("nonsense"), (0, 0));
    }
}
