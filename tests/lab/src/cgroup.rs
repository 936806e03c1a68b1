//! Every host has its own cgroup, in every hierarchy of cgroup version 1 or in the unified tree of version 2. So the
//! systemd of one host never sees the processes of another, and every process of a host can be found and killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::{LabError, Result};
use crate::processes;
use crate::wait::until;

const ROOT: &str = "/sys/fs/cgroup";
/// The controllers that containers need to limit CPU, memory, input/output and the number of processes.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// Returns true if this machine uses cgroup version 2 only.
pub(crate) fn is_unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The cgroup of one host, which has one folder per hierarchy.
pub(crate) struct Cgroup {
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// Returns the cgroup with this name without making it.
    pub(crate) fn named(name: &str) -> Result<Self> {
        if is_unified() {
            return Ok(Self { folders: vec![Path::new(ROOT).join(name)] });
        }
        let entries = fs::read_dir(ROOT).map_err(LabError::io("list", ROOT))?;
        let folders = entries
            .filter_map(std::result::Result::ok)
            .map(|entry| entry.path())
            .filter(|path| !path.is_symlink() && path.join("cgroup.procs").exists())
            .map(|path| path.join(name))
            .collect();
        Ok(Self { folders })
    }

    /// Makes the folders and enables the controllers for them.
    pub(crate) fn create(&self) -> Result<()> {
        if is_unified() {
            enable_controllers()?;
        }
        for folder in &self.folders {
            fs::create_dir_all(folder).map_err(LabError::io("make the cgroup", folder))?;
            inherit_cpuset(folder)?;
        }
        Ok(())
    }

    /// Returns the files to which a process writes its id in order to join the cgroup.
    pub(crate) fn entry_files(&self) -> Vec<PathBuf> {
        self.folders.iter().map(|folder| folder.join("cgroup.procs")).collect()
    }

    /// Kills every process in the cgroup and removes the folders. It succeeds if they do not exist.
    pub(crate) fn destroy(&self) -> Result<()> {
        until("the end of a host's cgroup", Duration::from_secs(20), || {
            for folder in self.folders.iter().filter(|folder| folder.exists()) {
                kill_below(folder).map_err(|e| e.to_string())?;
                remove_below(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            }
            Ok(())
        })
    }
}

/// Copies the processors and memory nodes from the parent group. A new cpuset group of version 1 has none and accepts no
/// process until it has some.
fn inherit_cpuset(folder: &Path) -> Result<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let file = folder.join(name);
        let (true, Some(parent)) = (file.exists() && !is_unified(), folder.parent()) else {
            continue;
        };
        let value = fs::read_to_string(parent.join(name)).map_err(LabError::io("read", parent))?;
        fs::write(&file, value).map_err(LabError::io("write", &file))?;
    }
    Ok(())
}

fn enable_controllers() -> Result<()> {
    let available = Path::new(ROOT).join("cgroup.controllers");
    let available = fs::read_to_string(&available).map_err(LabError::io("read", &available))?;
    let file = Path::new(ROOT).join("cgroup.subtree_control");
    let wanted: Vec<String> = available
        .split_whitespace()
        .filter(|name| CONTROLLERS.contains(name))
        .map(|name| format!("+{name}"))
        .collect();
    fs::write(&file, wanted.join(" ")).map_err(LabError::io("write", &file))
}

fn kill_below(folder: &Path) -> Result<()> {
    for child in subfolders(folder) {
        kill_below(&child)?;
    }
    // If the group has disappeared meanwhile, there is nothing left to kill.
    let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in members.lines().filter_map(|line| line.parse().ok()) {
        processes::signal(pid, Signal::SIGKILL)?;
    }
    Ok(())
}

fn remove_below(folder: &Path) -> std::io::Result<()> {
    for child in subfolders(folder) {
        remove_below(&child)?;
    }
    fs::remove_dir(folder)
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(std::result::Result::ok)
                .map(|entry| entry.path())
                .filter(|path| path.is_dir() && !path.is_symlink())
                .collect()
        })
        .unwrap_or_default()
}
