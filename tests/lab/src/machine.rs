//! One machine: a systemd-nspawn container with its root, its cgroup and its place on the bridge. Starts and ends it; knows
//! nothing of what runs inside.

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
/// Moves itself into each listed file's cgroup, then becomes the program.
const ENTER_CGROUP: &str = "n=$1; shift; while [ $n -gt 0 ]; do echo $$ > \"$1\"; shift; n=$((n-1)); done; exec setsid \"$@\"";

/// A machine's fixed properties.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Unique on this computer; names the cgroup and the network port.
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) bridge: String,
    /// Holds `root`, `docker`, `console.log` and the overlay's folders.
    pub(crate) folder: PathBuf,
    /// The first process and its start time, once seen: looking through all processes takes longer than most commands.
    pub(crate) seen: Mutex<Option<(u32, u64)>>,
}

impl Machine {
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The machine's side of the bridge.
    pub(crate) fn port(&self) -> String {
        format!("vb-{}", self.id)
    }

    pub(crate) fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// Mounts its own root on the shared layers.
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

    /// Starts it and gives its first process.
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
        // Collects it when it ends; the machine outlives this process if it has to.
        thread::spawn(move || child.wait());
        until(&format!("the first process of {}", self.hostname), LEADER_LIMIT, || {
            self.leader().map_err(|e| e.to_string())?.ok_or_else(|| self.last_words())
        })
    }

    /// The machine's first process as seen from outside, if it is up.
    pub(crate) fn leader(&self) -> Result<Option<u32>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, ticks)) = *seen
            && processes::is_alive(pid)
            && processes::start_ticks(pid) == Some(ticks)
        {
            return Ok(Some(pid));
        }
        let mut candidates = self.supervisors()?.into_iter().flat_map(processes::children);
        let leader = candidates.find(|pid| is_init(*pid));
        *seen = leader.and_then(|pid| Some((pid, processes::start_ticks(pid)?)));
        Ok(leader)
    }

    /// Waits for the end of a machine that was told to stop.
    pub(crate) fn wait_for_end(&self) -> Result<()> {
        self.supervisor_ends_within(END_LIMIT)?;
        self.tidy()
    }

    /// Ends it as a loss of power does.
    pub(crate) fn kill(&self) -> Result<()> {
        if let Some(leader) = self.leader()? {
            processes::signal(leader, Signal::SIGKILL)?;
        }
        // systemd-nspawn sees the end of its only child, clears up and leaves; one that does not is ended, too.
        if self.supervisor_ends_within(KILL_LIMIT).is_err() {
            processes::end(&self.supervisors()?)?;
        }
        self.tidy()
    }

    /// Takes away what can be left after the end: members of the cgroup, the network port, folders of systemd-nspawn.
    fn tidy(&self) -> Result<()> {
        Cgroup::named(&self.id)?.destroy()?;
        network::unplug(&self.port())?;
        for kind in ["propagate", "unix-export"] {
            let folder = Path::new("/run/systemd/nspawn").join(kind).join(&self.id);
            cache::discard(&folder)?;
        }
        Ok(())
    }

    fn supervisor_ends_within(&self, limit: Duration) -> Result<()> {
        until(&format!("the end of {}", self.hostname), limit, || match self.supervisors() {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(left) => Err(format!("still there: {left:?}")),
            Err(error) => Err(error.to_string()),
        })
    }

    /// What the console said last.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(self.console()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let from = lines.len().saturating_sub(5);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    fn supervisors(&self) -> Result<Vec<u32>> {
        processes::started_with("systemd-nspawn", &self.root_argument())
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
            // Without these calls runc cannot make its session key and its device filter.
            "--system-call-filter=add_key keyctl bpf".into(),
            "--resolv-conf=off".into(),
            "--timezone=off".into(),
            "--link-journal=no".into(),
            "--console=pipe".into(),
            "--boot".into(),
        ]
    }
}

/// True once the process is systemd and number 1 of its own namespace.
fn is_init(pid: u32) -> bool {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    comm.trim() == "systemd"
        && status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
}
