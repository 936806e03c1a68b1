//! Brings up a fleet as an operator would: it installs packages, initialises the
//! controller, makes tokens, enrols hosts and applies a specification.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use oml_lab::{Debian, Host, Lab, LabSpec};

use crate::packages::Packages;
use crate::{release, settings};

const SMALL: &str = include_str!("../catalogs/small.yaml");
/// The catalog `small` as a controller of release 0.1.0 can read it.
pub const SMALL_OF_0_1_0: &str = include_str!("../catalogs/small-0.1.0.yaml");

/// The name of the controller's host.
pub const CONTROLLER: &str = "controller";
/// The value of every secret on the fleet's hosts.
pub const LAB_SECRET: &str = "a-secret-of-the-lab";
const SECRETS: [&str; 2] = ["postgres_password", "ami_password"];
/// Makes the certificate that the stack expects in this folder, as an operator does.
const CERTIFICATE: &str = "mkdir -p /etc/omnileads/certs && cd /etc/omnileads/certs && umask 077 && \
     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=$(hostname) \
     -addext subjectAltName=DNS:$(hostname) -keyout key.pem -out cert.pem 2>&1";
const INSTALL_LIMIT: Duration = Duration::from_secs(120);

/// A running controller and the nodes that are enrolled with it.
#[derive(Debug)]
pub struct Fleet {
    lab: Lab,
    packages: Packages,
    topology: Topology,
}

/// The description of one tenant: its hosts and its first specification.
#[derive(Debug, Clone)]
pub struct Topology {
    pub tenant: &'static str,
    /// The host names and their roles.
    pub nodes: Vec<(&'static str, String)>,
    /// A function that returns the tenant's first specification for the registry with the given name.
    pub spec: fn(&str) -> String,
    /// The release of Debian that all hosts run; if there is none, that of the tests.
    pub debian: Option<Debian>,
    /// The catalog `small` of the controller.
    pub small_catalog: &'static str,
}

/// Returns hosts with their roles as a topology has them.
#[must_use]
pub fn nodes(all: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    all.iter().map(|(node, roles)| (*node, (*roles).to_owned())).collect()
}

impl Topology {
    /// Describes tenant acme: the whole stack on three hosts.
    #[must_use]
    pub fn acme() -> Self {
        let nodes = nodes(&[("acme-data", "data"), ("acme-voice", "voice"), ("acme-app", "app")]);
        let (debian, small_catalog) = (None, SMALL);
        Self { tenant: "acme", nodes, spec: settings::acme, debian, small_catalog }
    }

    /// Describes tenant tiny: two small components on one host.
    #[must_use]
    pub fn tiny() -> Self {
        let nodes = nodes(&[("tiny-one", "app")]);
        let (debian, small_catalog) = (None, SMALL);
        Self { tenant: "tiny", nodes, spec: settings::tiny, debian, small_catalog }
    }

    /// Gives every host this release of Debian.
    #[must_use]
    pub fn on(self, debian: Debian) -> Self {
        Self { debian: Some(debian), ..self }
    }
}

/// The result of one call of `omlctl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CtlOutput {
    /// The exit code, or -1 if a signal ended the program.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Fleet {
    /// Boots a controller and the tenant's hosts, and installs and enrols them. If this machine
    /// cannot run a lab, it prints the reason and returns `None`.
    ///
    /// # Errors
    /// A step failed. The lab is taken down.
    pub fn up_or_skip(name: &str, packages: Packages, topology: Topology) -> Result<Option<Self>> {
        let mut hosts = vec![CONTROLLER];
        hosts.extend(topology.nodes.iter().map(|(node, _)| *node));
        let debian = topology.debian.map_or_else(release::of_hosts, Ok)?;
        let spec = LabSpec::new(name, &hosts).on(debian);
        let Some(lab) = Lab::up_or_skip(&spec)? else { return Ok(None) };
        let fleet = Self { lab, packages, topology };
        fleet.install_controller().context("install the controller")?;
        for (node, role) in &fleet.topology.nodes {
            fleet.install_agent(node).with_context(|| format!("install the agent on {node}"))?;
            fleet.enroll(node, role).with_context(|| format!("enrol {node}"))?;
        }
        Ok(Some(fleet))
    }

    /// Returns the lab that the fleet runs on.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Returns the packages that are installed on the hosts.
    #[must_use]
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// Returns the host with this name.
    ///
    /// # Errors
    /// The fleet has no host with this name.
    pub fn host(&self, name: &str) -> Result<&Host> {
        Ok(self.lab.host(name)?)
    }

    /// Returns the last lines of the logs of all agents, of the units that they manage and of the engines,
    /// for people who look for the cause of a failure.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let script = "timeout 20 journalctl -q --no-pager -o short-precise --utc -n 150 \
                      -u omlagent -u 'oml-*' -u docker -u dbus";
        let of_node = |node: &'static str| {
            let output = self.host(node).and_then(|host| Ok(host.exec(&["sh", "-c", script])?));
            let lines = output.map_or_else(|error| format!("{error:#}"), |output| output.stdout);
            format!("--- {node}\n{lines}")
        };
        self.nodes().map(of_node).collect()
    }

    /// Keeps the fleet running when this process ends.
    ///
    /// # Errors
    /// The lab's record could not be written.
    pub fn keep(self) -> Result<()> {
        Ok(self.lab.keep()?)
    }

    /// Takes the fleet and its lab down.
    ///
    /// # Errors
    /// Part of the lab could not be taken down.
    pub fn down(self) -> Result<()> {
        Ok(self.lab.down()?)
    }

    /// Runs `omlctl` and returns its output, with any exit code.
    ///
    /// # Errors
    /// `omlctl` could not be started.
    pub fn ctl(&self, arguments: &[&str]) -> Result<CtlOutput> {
        self.ctl_with(&self.packages.omlctl, arguments)
    }

    /// Runs an `omlctl` of another release and returns its output, with any exit code.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn ctl_with(&self, omlctl: &Path, arguments: &[&str]) -> Result<CtlOutput> {
        let output = self.command(omlctl, arguments).output().context("start omlctl")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(CtlOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// Runs `omlctl` and returns its standard output.
    ///
    /// # Errors
    /// `omlctl` ended with another exit code than 0. The error contains what it printed.
    pub fn ctl_ok(&self, arguments: &[&str]) -> Result<String> {
        let ended = self.ctl(arguments)?;
        ensure!(
            ended.code == 0,
            "omlctl {} ended with exit code {}:\n{}{}",
            arguments.join(" "),
            ended.code,
            ended.stdout,
            ended.stderr
        );
        Ok(ended.stdout)
    }

    /// Returns an `omlctl` command with this fleet's context. The caller starts it.
    #[must_use]
    pub fn ctl_command(&self, arguments: &[&str]) -> Command {
        self.command(&self.packages.omlctl, arguments)
    }

    fn command(&self, omlctl: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(omlctl);
        command.args(arguments).env("OMLCTL_CONFIG", self.ctl_config()).env("NO_COLOR", "1");
        command
    }

    /// Makes a one-time token for enrolment.
    ///
    /// # Errors
    /// `omlctl` failed. The error contains what it printed.
    pub fn token(&self, arguments: &[&str]) -> Result<String> {
        let mut words = vec!["node", "token", "--yes"];
        words.extend(arguments);
        words.extend(["-o", "json"]);
        let reply: serde_json::Value = serde_json::from_str(&self.ctl_ok(&words)?)?;
        Ok(reply["token"].as_str().context("find the token in the reply")?.to_owned())
    }

    /// Returns the tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &'static str {
        self.topology.tenant
    }

    /// Returns the names of the tenant's hosts.
    pub fn nodes(&self) -> impl Iterator<Item = &'static str> {
        self.topology.nodes.iter().map(|(node, _)| *node)
    }

    /// Returns the tenant's first specification, as an operator would write it.
    ///
    /// # Errors
    /// The lab has no registry.
    pub fn spec(&self) -> Result<String> {
        Ok((self.topology.spec)(&self.lab.registry()?.name()))
    }

    /// Applies the first specification and waits until it runs. This is quick if it runs already.
    ///
    /// # Errors
    /// `omlctl` failed. The error contains what it printed.
    pub fn apply_first_spec(&self) -> Result<()> {
        let path = self.write_spec("first.yaml", &self.spec()?)?;
        self.ctl_ok(&["apply", "-f", &path, "--timeout", "30m"])?;
        Ok(())
    }

    /// Writes a specification to a file in the lab's folder and returns its path.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write_spec(&self, name: &str, text: &str) -> Result<String> {
        let path = self.lab.folder().join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn ctl_config(&self) -> PathBuf {
        self.lab.folder().join("omlctl").join("config.toml")
    }

    fn install_controller(&self) -> Result<()> {
        let host = self.host(CONTROLLER)?;
        let registry = self.lab.registry()?;
        host.install_package(&self.packages.controller)?;
        let password = "/etc/omlcontroller/registry.password";
        host.push(password, registry.password().as_bytes(), 0o600)?;
        let text = settings::controller_registries(&registry, password);
        host.push("/etc/omlcontroller/conf.d/lab.toml", text.as_bytes(), 0o600)?;
        let catalog = self.topology.small_catalog.as_bytes();
        host.push("/usr/share/omlcontroller/catalog/small.yaml", catalog, 0o644)?;
        let address = host.address().to_string();
        let bundle = "/root/operator.toml";
        host.exec_ok(&[
            "omlcontroller",
            "init",
            "--name",
            CONTROLLER,
            "--address",
            &address,
            "--operator",
            "admin",
            "--out",
            bundle,
        ])?;
        host.exec_ok(&["chown", "-R", "omlcontroller:", "/etc/omlcontroller"])?;
        // The controller of a release without secrets leaves what it made to root.
        let folder = "/var/lib/omlcontroller";
        let own = format!("[ -e {folder}/secrets.key ] || chown -R omlcontroller: {folder}");
        host.exec_ok(&["sh", "-c", &own])?;
        let start = "systemctl enable --now omlcontroller || \
                     { journalctl --no-pager -n 20 -u omlcontroller >&2; exit 1; }";
        host.exec_ok(&["sh", "-c", start])?;
        let local = self.lab.folder().join("operator.toml");
        std::fs::write(&local, host.read(bundle)?)?;
        self.ctl_ok(&["context", "import", &local.to_string_lossy()])?;
        Ok(())
    }

    fn install_agent(&self, node: &str) -> Result<()> {
        let host = self.host(node)?;
        let registry = self.lab.registry()?;
        host.install_package(&self.packages.agent)?;
        let password = "/etc/omlagent/registry.password";
        host.push(password, registry.password().as_bytes(), 0o600)?;
        let text = settings::agent(&registry, password);
        host.push("/etc/omlagent/conf.d/lab.toml", text.as_bytes(), 0o600)?;
        host.exec_ok(&["sh", "-c", CERTIFICATE])?;
        for secret in SECRETS {
            host.push(&format!("/etc/omlagent/secrets/{secret}"), LAB_SECRET.as_bytes(), 0o600)?;
        }
        Ok(())
    }

    /// Enrols a host, which gives it its identity and starts its agent.
    ///
    /// # Errors
    /// `omlagent enroll` failed. The error contains what it printed.
    pub fn enroll(&self, node: &str, role: &str) -> Result<()> {
        let host = self.host(node)?;
        let token = self.token(&[
            &format!("tenant={}", self.tenant()),
            &format!("role={role}"),
            &format!("name={node}"),
        ])?;
        let address = host.address().to_string();
        let endpoint = format!("{}:7444", self.host(CONTROLLER)?.address());
        let enrolled = host.exec_within(INSTALL_LIMIT, &[
            "sh", "-c",
            &format!(
                "printf %s '{token}' | omlagent enroll --controller {endpoint} --token-file - --name {node} --address {address}"
            ),
        ])?;
        if !enrolled.is_success() {
            bail!("omlagent enroll failed on {node}: {}{}", enrolled.stdout, enrolled.stderr);
        }
        Ok(())
    }
}
