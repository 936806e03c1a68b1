//! A machine is a systemd-nspawn container with its own root, its own cgroup and a port on the bridge. This module starts
//! and stops machines and does not depend on what runs inside them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::cache;
use crate::cgroup::Cgroup;
use crate::error::{LabError, Result};
use crate::mounts::Overlay;
use crate::network;
use crate::processes;
use crate::wait::until;

const LEADER_LIMIT: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(90);
const KILL_LIMIT: Duration = Duration::from_secs(5);
/// A shell script that writes its own process id to each listed `cgroup.procs` file, and then becomes the program.
const ENTER_CGROUP: &str = "n=$1; shift; while [ $n -gt 0 ]; do echo $$ > \"$1\"; shift; n=$((n-1)); done; exec setsid \"$@\"";

/// The fixed properties of a machine, and a cache of its first process.
#[derive(Debug)]
pub(crate) struct Machine {
    /// This id is unique on this computer; the cgroup and the network port are named after it.
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) bridge: String,
    /// This folder holds `root`, `docker`, `console.log` and the overlay's folders.
    pub(crate) folder: PathBuf,
    /// The machine's first process and its start time, once found. They are cached because searching all processes takes
    /// longer than most commands.
    pub(crate) seen: Mutex<Option<(u32, u64)>>,
}

impl Machine {
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Returns the name of the bridge port that the machine is connected to.
    pub(crate) fn port(&self) -> String {
        format!("vb-{}", self.id)
    }

    pub(crate) fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// Mounts the machine's root as an overlay on the shared layers.
    pub(crate) fn mount(&self, lower: &[PathBuf]) -> Result<()> {
        let lower: Vec<_> = lower.iter().map(PathBuf::as_path).collect();
        let docker = self.folder.join("docker");
        fs::create_dir_all(&docker).map_err(LabError::io("make the folder", &docker))?;
        Overlay {
            lower: &lower,
            upper: &self.folder.join("upper"),
            work: &self.folder.join("work"),
            at: &self.root(),
        }
        .mount()
    }

    /// Starts the machine and returns the process id of its first process.
    pub(crate) fn start(&self) -> Result<u32> {
        let cgroup = Cgroup::named(&self.id)?;
        cgroup.create()?;
        let entries = cgroup.entry_files();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.console())
            .map_err(LabError::io("open", self.console()))?;
        let errors = log.try_clone().map_err(LabError::io("open", self.console()))?;
        let mut child = Command::new("sh")
            .args(["-c", ENTER_CGROUP, "sh", &entries.len().to_string()])
            .args(entries)
            .args(self.nspawn())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(LabError::io("start systemd-nspawn for", self.root()))?;
        // The thread reaps systemd-nspawn when it ends. The machine may also outlive this process.
        thread::spawn(move || child.wait());
        until(&format!("the first process of {}", self.hostname), LEADER_LIMIT, || {
            self.leader().map_err(|e| e.to_string())?.ok_or_else(|| self.console_tail())
        })
    }

    /// Returns the process id, as seen from this computer, of the machine's first process, or `None` if it is not running.
    pub(crate) fn leader(&self) -> Result<Option<u32>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, ticks)) = *seen
            && processes::is_alive(pid)
            && processes::start_ticks(pid) == Some(ticks)
        {
            return Ok(Some(pid));
        }
        let mut candidates = self.nspawn_processes()?.into_iter().flat_map(processes::children);
        let leader = candidates.find(|pid| is_init(*pid));
        *seen = leader.and_then(|pid| Some((pid, processes::start_ticks(pid)?)));
        Ok(leader)
    }

    /// Waits until a machine that is shutting down has ended, and cleans up after it.
    pub(crate) fn wait_for_exit(&self) -> Result<()> {
        self.wait_for_nspawn_exit(END_LIMIT)?;
        self.clean_up()
    }

    /// Kills the machine, as a loss of power would.
    pub(crate) fn kill(&self) -> Result<()> {
        if let Some(leader) = self.leader()? {
            processes::signal(leader, Signal::SIGKILL)?;
        }
        // systemd-nspawn normally notices the end of its only child, cleans up and exits. If it does not, it is killed too.
        if self.wait_for_nspawn_exit(KILL_LIMIT).is_err() {
            processes::kill_all(&self.nspawn_processes()?)?;
        }
        self.clean_up()
    }

    /// Removes what may be left after the machine has ended: processes in its cgroup, the network port and folders of
    /// systemd-nspawn.
    fn clean_up(&self) -> Result<()> {
        Cgroup::named(&self.id)?.destroy()?;
        network::unplug(&self.port())?;
        for kind in ["propagate", "unix-export"] {
            let folder = Path::new("/run/systemd/nspawn").join(kind).join(&self.id);
            cache::discard(&folder)?;
        }
        Ok(())
    }

    fn wait_for_nspawn_exit(&self, limit: Duration) -> Result<()> {
        until(&format!("the end of {}", self.hostname), limit, || match self.nspawn_processes() {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(left) => Err(format!("processes {left:?} are still running")),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Returns the last lines of the console.
    pub(crate) fn console_tail(&self) -> String {
        let text = fs::read_to_string(self.console()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let from = lines.len().saturating_sub(5);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    fn nspawn_processes(&self) -> Result<Vec<u32>> {
        processes::find_by_argument("systemd-nspawn", &self.root_argument())
    }

    fn root_argument(&self) -> String {
        format!("--directory={}", self.root().display())
    }

    fn nspawn(&self) -> Vec<String> {
        let docker = self.folder.join("docker");
        vec![
            "systemd-nspawn".into(),
            "--quiet".into(),
            self.root_argument(),
            format!("--machine={}", self.id),
            format!("--hostname={}", self.hostname),
            format!("--network-bridge={}", self.bridge),
            format!("--bind={}:/var/lib/docker", docker.display()),
            "--register=no".into(),
            "--keep-unit".into(),
            "--capability=all".into(),
            // runc needs these system calls to make its session key and its device filter.
            "--system-call-filter=add_key keyctl bpf".into(),
            "--resolv-conf=off".into(),
            "--timezone=off".into(),
            "--link-journal=no".into(),
            "--console=pipe".into(),
            "--boot".into(),
        ]
    }
}

/// Returns true if the process is systemd and has process id 1 in its own namespace.
fn is_init(pid: u32) -> bool {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    comm.trim() == "systemd"
        && status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
}
