//! What somebody does to the host behind the agent's back.

use std::path::Path;
use std::process::Command;

use oml_common::document::instance::InstanceDocument;

use crate::runtime::fake::FakeHost;

/// Somebody at the host.
pub(super) enum ManualActions {
    Fake(FakeHost),
    Real,
}

/// A unit file of nobody's, for a package's and for a stranger's.
const UNIT: &str =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

impl ManualActions {
    /// `docker run` of something else under that name.
    pub(super) fn take_name(&self, instance: &InstanceDocument, name: &str) {
        match self {
            ManualActions::Fake(host) => host.make_foreign_container(name),
            ManualActions::Real => {
                let container = instance.container().unwrap();
                let image = format!("{}@{}", container.repository, container.digest);
                run("docker", &["create", "--name", name, &image]);
            }
        }
    }

    pub(super) fn give_name_back(&self, name: &str) {
        match self {
            ManualActions::Fake(_) => {}
            ManualActions::Real => run("docker", &["rm", "--force", name]),
        }
    }

    pub(super) fn stop_unit(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Fake(host) => host.stop_by_hand(&instance.unit),
            ManualActions::Real => run("systemctl", &["stop", instance.unit.as_str()]),
        }
    }

    pub(super) fn start_unit(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Fake(host) => host.start_by_hand(&instance.unit),
            ManualActions::Real => run("systemctl", &["start", instance.unit.as_str()]),
        }
    }

    pub(super) fn remove_container(&self, instance: &InstanceDocument, name: &str) {
        match self {
            ManualActions::Fake(host) => host.remove_by_hand(&instance.component),
            ManualActions::Real => run("docker", &["rm", "--force", name]),
        }
    }

    /// Installs a package that brings a unit.
    pub(super) fn bring_packaged_unit(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Fake(host) => host.make_unit(&instance.unit, true),
            ManualActions::Real => write_unit("/usr/lib/systemd/system", instance),
        }
    }

    /// Writes a unit file that is not ours.
    pub(super) fn bring_foreign_unit(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Fake(host) => host.make_unit(&instance.unit, false),
            ManualActions::Real => write_unit("/etc/systemd/system", instance),
        }
    }

    pub(super) fn take_unit_away(&self, instance: &InstanceDocument) {
        match self {
            ManualActions::Fake(_) => {}
            ManualActions::Real => {
                for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
                    let path = Path::new(folder).join(instance.unit.as_str());
                    if path.exists() {
                        std::fs::remove_file(path).unwrap();
                    }
                }
                run("systemctl", &["daemon-reload"]);
            }
        }
    }
}

fn write_unit(folder: &str, instance: &InstanceDocument) {
    std::fs::write(Path::new(folder).join(instance.unit.as_str()), UNIT).unwrap();
    run("systemctl", &["daemon-reload"]);
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
