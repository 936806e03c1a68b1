//! Where things are on a host. Only names; nothing here touches a file.

use std::path::{Path, PathBuf};

use oml_common::id::{ComponentName, ContentHash, RunId, SecretName, UnitName};

/// The folders and programs of a host; tests put all of them below a folder of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// What the agent keeps over a restart.
    pub state: PathBuf,
    /// What lives until the next boot.
    pub run: PathBuf,
    /// What the operator or the enrolment wrote.
    pub config: PathBuf,
    /// Unit files of the host's own administrator, where ours go too.
    pub units: PathBuf,
    /// The unit files that packages bring.
    pub package_units: PathBuf,
    /// The engine's socket.
    pub docker_socket: PathBuf,
    /// The settings of containerd, which may keep the engine's images.
    pub containerd_config: PathBuf,
    /// The kernel's view of the host.
    pub proc: PathBuf,
    /// The program that units run as `PROGRAM supervise COMPONENT`.
    pub program: PathBuf,
}

/// One of the instance documents of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// What its supervisor works by.
    Current,
    /// What it will work by after the switch.
    Next,
    /// What it worked by before.
    Previous,
    /// The current one of the last good version, as the agent saw it last as it should be.
    Settled,
}

impl Paths {
    /// The places of an installed agent.
    #[must_use]
    pub fn system() -> Self {
        Self {
            state: "/var/lib/omlagent".into(),
            run: "/run/omlagent".into(),
            config: "/etc/omlagent".into(),
            units: "/etc/systemd/system".into(),
            package_units: "/usr/lib/systemd/system".into(),
            docker_socket: "/var/run/docker.sock".into(),
            containerd_config: "/etc/containerd/config.toml".into(),
            proc: "/proc".into(),
            program: "/usr/bin/omlagent".into(),
        }
    }

    /// The same places below `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        let system = Self::system();
        let moved = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        Self {
            state: moved(&system.state),
            run: moved(&system.run),
            config: moved(&system.config),
            units: moved(&system.units),
            package_units: moved(&system.package_units),
            docker_socket: moved(&system.docker_socket),
            containerd_config: moved(&system.containerd_config),
            proc: moved(&system.proc),
            program: moved(&system.program),
        }
    }

    /// The folder of every component's documents.
    #[must_use]
    pub fn instances(&self) -> PathBuf {
        self.state.join("instances")
    }

    /// An instance document.
    #[must_use]
    pub fn document(&self, component: &ComponentName, slot: Slot) -> PathBuf {
        let name = match slot {
            Slot::Current => "current.json",
            Slot::Next => "next.json",
            Slot::Previous => "prev.json",
            Slot::Settled => "settled.json",
        };
        self.instances().join(component.as_str()).join(name)
    }

    /// The hash of the last good workload of a component. The file keeps the name that earlier
    /// releases gave it.
    #[must_use]
    pub fn last_good(&self, component: &ComponentName) -> PathBuf {
        self.instances().join(component.as_str()).join("proved")
    }

    /// The folder of the runs of operations.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// The folder of the runs that the host had for the owner before.
    #[must_use]
    pub fn former_runs(&self) -> PathBuf {
        self.state.join("runs-before")
    }

    /// The order of a run.
    #[must_use]
    pub fn run_order(&self, id: RunId) -> PathBuf {
        self.runs().join(id.to_string()).join("order.json")
    }

    /// The result of a run.
    #[must_use]
    pub fn run_result(&self, id: RunId) -> PathBuf {
        self.runs().join(id.to_string()).join("result.json")
    }

    /// The folder of the files of a component that containers have mounted.
    #[must_use]
    pub fn files(&self, component: &ComponentName) -> PathBuf {
        self.instances().join(component.as_str()).join("files")
    }

    /// The folder of the files of one workload of a component.
    #[must_use]
    pub fn files_of(&self, component: &ComponentName, workload: &ContentHash) -> PathBuf {
        self.files(component).join(workload.as_str())
    }

    /// A file that is given up when the disk is full.
    #[must_use]
    pub fn reserve(&self) -> PathBuf {
        self.state.join("reserve")
    }

    /// The folder of the supervisors' status files.
    #[must_use]
    pub fn statuses(&self) -> PathBuf {
        self.run.join("status")
    }

    /// What the component's supervisor last said.
    #[must_use]
    pub fn status(&self, component: &ComponentName) -> PathBuf {
        self.statuses().join(format!("{component}.json"))
    }

    /// The note that somebody stopped a unit.
    #[must_use]
    pub fn stop_note(&self, unit: &str) -> PathBuf {
        self.run.join("stopped").join(unit)
    }

    /// The note that systemd skipped a start of a unit.
    #[must_use]
    pub fn skip_note(&self, unit: &str) -> PathBuf {
        self.run.join("skipped").join(unit)
    }

    /// The note of the recent ends of a packaged unit.
    #[must_use]
    pub fn ends_note(&self, unit: &str) -> PathBuf {
        self.run.join("ends").join(unit)
    }

    /// What containers may have of this host.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.config.join("policy.toml")
    }

    /// The folder of the secrets that an administrator keeps on this host.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.config.join("secrets")
    }

    /// A secret's file.
    #[must_use]
    pub fn secret(&self, name: &SecretName) -> PathBuf {
        self.secrets().join(name.as_str())
    }

    /// A unit file of ours.
    #[must_use]
    pub fn unit(&self, unit: &UnitName) -> PathBuf {
        self.units.join(unit.as_str())
    }

    /// Our addition to a unit of the distribution.
    #[must_use]
    pub fn drop_in(&self, unit: &UnitName) -> PathBuf {
        self.units.join(format!("{unit}.d")).join("50-oml.conf")
    }
}
