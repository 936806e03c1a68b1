//! Changes that a person makes to the host without the agent.

use std::path::Path;
use std::process::Command;

use oml_common::document::instance::InstanceDocument;
use oml_sim::Daemon;

use crate::fixtures::ModelHost;

mod unit_files;

/// Somebody at the host.
pub(super) enum ManualActions {
    Model(Box<ModelHost>),
    Real,
}

/// A unit file without a mark, for a package's and for a stranger's.
const UNIT: &str =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
const SETTINGS: &str = "/etc/docker/daemon.json";
const ENGINE_UNITS: [&str; 2] = ["docker.socket", "docker.service"];

/// Containers.
impl ManualActions {
    /// `docker create` of something else under that name.
    pub(super) fn take_name(&self, instance: &InstanceDocument, name: &str) {
        match self {
            ManualActions::Model(model) => model.make_foreign_container(name),
            ManualActions::Real => {
                let container = instance.container().unwrap();
                let image = format!("{}@{}", container.repository, container.digest);
                run("docker", &["create", "--name", name, &image]);
            }
        }
    }

    pub(super) fn remove_container(&self, name: &str) {
        match self {
            ManualActions::Model(model) => model.host.remove_by_hand(name),
            ManualActions::Real => run("docker", &["rm", "--force", name]),
        }
    }

    /// `docker commit` and `docker run` of the image, which has our labels.
    pub(super) fn copy_container(&self, name: &str, copy: &str) {
        match self {
            ManualActions::Model(model) => {
                model.host.copy_by_hand(name, copy).unwrap();
            }
            ManualActions::Real => {
                let image = copy_image(copy);
                run("docker", &["commit", name, &image]);
                run("docker", &["run", "--detach", "--network=none", "--name", copy, &image]);
            }
        }
    }

    /// Removes what [`Self::copy_container`] made.
    pub(super) fn remove_copy(&self, copy: &str) {
        self.remove_container(copy);
        if matches!(self, ManualActions::Real) {
            run("docker", &["rmi", &copy_image(copy)]);
        }
    }

    pub(super) fn rename_container(&self, name: &str, other: &str) {
        match self {
            ManualActions::Model(model) => model.host.rename_by_hand(name, other).unwrap(),
            ManualActions::Real => run("docker", &["rename", name, other]),
        }
    }

    pub(super) fn pause_container(&self, name: &str, is_paused: bool) {
        match self {
            ManualActions::Model(model) => model.host.pause_by_hand(name, is_paused),
            ManualActions::Real => {
                run("docker", &[if is_paused { "pause" } else { "unpause" }, name])
            }
        }
    }

    /// `docker update` with another restart policy, a limit of 64 MiB and one of 20 processes.
    pub(super) fn update_container(&self, name: &str) {
        match self {
            ManualActions::Model(model) => model.host.update_by_hand(name, "always", 64 << 20),
            ManualActions::Real => {
                let limits = ["--memory=64m", "--memory-swap=64m", "--pids-limit=20"];
                let [memory, swap, pids] = limits;
                run("docker", &["update", "--restart=always", memory, swap, pids, name]);
            }
        }
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        match self {
            ManualActions::Model(model) => {
                model.host.containers().iter().any(|c| c.name == name && c.is_running())
            }
            ManualActions::Real => {
                let state = ["inspect", "-f", "{{.State.Running}}", name];
                answer_of("docker", &state).trim() == "true"
            }
        }
    }

    pub(super) async fn stop_container(&self, name: &str) {
        match self {
            ManualActions::Model(model) => model.host.stop_by_hand(name).await.unwrap(),
            ManualActions::Real => run("docker", &["stop", name]),
        }
    }

    pub(super) fn kill_container(&self, name: &str) {
        match self {
            ManualActions::Model(model) => model.host.kill_by_hand(name),
            ManualActions::Real => run("docker", &["kill", name]),
        }
    }

    /// The environment of a container's program.
    pub(super) fn environment(&self, name: &str) -> String {
        match self {
            ManualActions::Model(model) => {
                let containers = model.host.containers();
                let container = containers.iter().find(|container| container.name == name);
                format!("[{} ]", container.unwrap().environment.join(" "))
            }
            ManualActions::Real => answer_of("docker", &["inspect", "-f", "{{.Config.Env}}", name]),
        }
    }
}

/// What the engine knows of a container.
impl ManualActions {
    /// The limit of processes and the security options of a container.
    pub(super) fn confinement(&self, name: &str) -> String {
        match self {
            ManualActions::Model(model) => {
                let containers = model.host.containers();
                let found = containers.iter().find(|container| container.name == name).unwrap();
                let limit = found.pids_limit.unwrap_or_default();
                format!("{limit} [{}]", found.security_options.join(" "))
            }
            ManualActions::Real => {
                let format = "{{.HostConfig.PidsLimit}} {{.HostConfig.SecurityOpt}}";
                answer_of("docker", &["inspect", "-f", format, name]).trim().to_owned()
            }
        }
    }
}

/// The engine.
impl ManualActions {
    /// Restarts the engine, under which containers run on.
    pub(super) fn restart_engine(&self) {
        match self {
            ManualActions::Model(model) => model.host.restart_engine(true),
            ManualActions::Real => {
                // So many restarts in a row are more than its start limit allows.
                run("systemctl", &["reset-failed", "docker.service", "docker.socket"]);
                run("systemctl", &["restart", "docker"]);
                run("systemctl", &["kill", "--signal=KILL", "--kill-whom=main", "docker"]);
            }
        }
    }

    /// Restarts the engine, and every container ends with it.
    pub(super) async fn restart_engine_without_live_restore(&self) {
        match self {
            ManualActions::Model(model) => {
                let mut changes = model.host.container_changes();
                model.host.restart_engine(false);
                // The command below returns when the engine answers.
                while model.host.list_containers().await.is_err() {
                    changes.changed().await.unwrap();
                }
            }
            ManualActions::Real => {
                set_live_restore(false);
                run("systemctl", &["reset-failed", "docker.service", "docker.socket"]);
                // The first restart only reads the settings.
                run("systemctl", &["restart", "docker"]);
                run("systemctl", &["restart", "docker"]);
            }
        }
    }

    /// Containers survive a restart of the engine again.
    pub(super) fn allow_live_restore(&self) {
        match self {
            ManualActions::Model(_) => {}
            ManualActions::Real => {
                set_live_restore(true);
                run("systemctl", &["restart", "docker"]);
            }
        }
    }

    /// Removes every container that does not run, and every image that no container uses.
    pub(super) fn prune(&self) {
        match self {
            ManualActions::Model(model) => model.host.prune_by_hand(),
            ManualActions::Real => run("docker", &["system", "prune", "--all", "--force"]),
        }
    }

    /// Removes the image of an instance, which no container uses.
    pub(super) fn remove_image(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Model(model) => model.host.prune_by_hand(),
            ManualActions::Real => {
                let Some(container) = instance.container() else { return };
                let image = format!("{}@{}", container.repository, container.digest);
                run("docker", &["rmi", &image]);
            }
        }
    }

    pub(super) fn take_engine_away(&self) {
        match self {
            ManualActions::Model(model) => model.host.take_away(Daemon::Engine),
            ManualActions::Real => {
                run("systemctl", &["stop", ENGINE_UNITS[0], ENGINE_UNITS[1]]);
                // The unit wants the engine and would start it.
                run("systemctl", &["mask", "--runtime", ENGINE_UNITS[0], ENGINE_UNITS[1]]);
            }
        }
    }

    pub(super) fn bring_engine_back(&self) {
        match self {
            ManualActions::Model(model) => model.host.bring_back(Daemon::Engine),
            ManualActions::Real => {
                run("systemctl", &["unmask", "--runtime", ENGINE_UNITS[0], ENGINE_UNITS[1]]);
                run("systemctl", &["start", ENGINE_UNITS[0], ENGINE_UNITS[1]]);
            }
        }
    }
}

/// Units.
impl ManualActions {
    /// `systemctl start` or `stop`, until it is done.
    pub(super) async fn systemctl(&self, verb: &str, instance: &InstanceDocument) {
        match self {
            ManualActions::Model(model) => model.systemctl(verb, instance.unit.as_str()).await,
            ManualActions::Real => run("systemctl", &[verb, instance.unit.as_str()]),
        }
    }

    /// `systemctl --no-block start` or `stop`.
    pub(super) fn begin(&self, verb: &str, instance: &InstanceDocument) {
        let unit = instance.unit.as_str();
        match self {
            ManualActions::Model(model) => {
                model.host.systemctl(verb, unit).unwrap();
            }
            ManualActions::Real => run("systemctl", &[verb, "--no-block", unit]),
        }
    }

    /// Kills the main process of the instance's unit.
    pub(super) fn kill_supervisor(&self, instance: &InstanceDocument) {
        let unit = instance.unit.as_str();
        match self {
            ManualActions::Model(model) => model.host.kill_main_process(unit),
            ManualActions::Real => run("systemctl", &["kill", "--signal=KILL", unit]),
        }
    }

    /// What the instance's supervisor says of itself.
    pub(super) fn status_text(&self, instance: &InstanceDocument) -> String {
        let unit = instance.unit.as_str();
        match self {
            ManualActions::Model(model) => {
                let units = model.host.units();
                let found = units.into_iter().find(|(name, _)| name == unit);
                found.map(|(_, state)| state.status_text).unwrap_or_default()
            }
            ManualActions::Real => answer_of("systemctl", &["show", "-p", "StatusText", unit]),
        }
    }

    /// Installs a package that brings a unit.
    pub(super) fn bring_packaged_unit(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Model(model) => model.host.install_package(instance.unit.as_str()),
            ManualActions::Real => {
                write_unit(Path::new("/usr/lib/systemd/system"), instance);
                run("systemctl", &["daemon-reload"]);
            }
        }
    }

    /// Kills the program of a packaged unit.
    pub(super) fn kill_packaged_program(&self, instance: &InstanceDocument) {
        let unit = instance.unit.as_str();
        match self {
            ManualActions::Model(model) => model.host.kill_packaged(unit),
            ManualActions::Real => run("systemctl", &["kill", "--signal=KILL", unit]),
        }
    }

    /// Writes a unit file that is not ours.
    pub(super) async fn bring_foreign_unit(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Model(model) => {
                write_unit(&model.paths.units, instance);
                model.host.reload_units().await.unwrap();
            }
            ManualActions::Real => {
                write_unit(Path::new("/etc/systemd/system"), instance);
                run("systemctl", &["daemon-reload"]);
            }
        }
    }

    /// Takes away the unit that a stranger or a package brought.
    pub(super) async fn take_unit_away(&self, instance: &InstanceDocument) {
        let unit = instance.unit.as_str();
        match self {
            ManualActions::Model(model) => {
                model.host.remove_package(unit);
                remove_if_there(&model.paths.units.join(unit));
                model.host.reload_units().await.unwrap();
            }
            ManualActions::Real => {
                for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
                    remove_if_there(&Path::new(folder).join(unit));
                }
                run("systemctl", &["daemon-reload"]);
            }
        }
    }
}

/// The image of a copy.
fn copy_image(copy: &str) -> String {
    format!("oml-contract/{copy}:1")
}

fn write_unit(folder: &Path, instance: &InstanceDocument) {
    std::fs::write(folder.join(instance.unit.as_str()), UNIT).unwrap();
}

fn remove_if_there(path: &Path) {
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
}

/// Writes whether containers survive a restart of the engine.
fn set_live_restore(is_on: bool) {
    let before = std::fs::read_to_string(SETTINGS).unwrap();
    let setting = |is_on: bool| format!("\"live-restore\":{is_on}");
    let after = before.replace(&setting(!is_on), &setting(is_on));
    assert_ne!(before, after, "{before}");
    std::fs::write(SETTINGS, after).unwrap();
}

/// Runs a command on this host; it has to succeed.
pub(super) fn run(program: &str, arguments: &[&str]) {
    answer_of(program, arguments);
}

/// As [`run`], with what it wrote.
pub(super) fn answer_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
