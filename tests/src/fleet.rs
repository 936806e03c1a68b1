//! Brings a fleet up the way an operator would: packages, init, tokens,
//! enrolment, apply.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use oml_lab::{Host, Lab, LabSpec};

use crate::packages::Packages;
use crate::settings;

/// The host of the controller.
pub const CONTROLLER: &str = "controller";
/// The value of every secret of the fleet's hosts.
pub const LAB_SECRET: &str = "a-secret-of-the-lab";
const SECRETS: [&str; 2] = ["postgres_password", "ami_password"];
const INSTALL_LIMIT: Duration = Duration::from_secs(120);

/// A controller, and nodes enrolled to it.
#[derive(Debug)]
pub struct Fleet {
    lab: Lab,
    packages: Packages,
    topology: Topology,
}

/// One tenant, its hosts, and what it runs at first.
#[derive(Debug, Clone)]
pub struct Topology {
    pub tenant: &'static str,
    /// Host names and their roles.
    pub nodes: &'static [(&'static str, &'static str)],
    /// The tenant's first specification, for images of a registry.
    pub spec: fn(&str) -> String,
}

impl Topology {
    /// The whole stack on three hosts.
    #[must_use]
    pub fn acme() -> Self {
        let nodes = &[("acme-data", "data"), ("acme-voice", "voice"), ("acme-app", "app")];
        Self { tenant: "acme", nodes, spec: settings::acme }
    }

    /// Two small components on one host.
    #[must_use]
    pub fn tiny() -> Self {
        Self { tenant: "tiny", nodes: &[("tiny-one", "app")], spec: settings::tiny }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Fleet {
    /// A lab of one controller and the tenant's hosts, everything installed
    /// and enrolled; none where this machine cannot carry a lab (it says why).
    ///
    /// # Errors
    /// Whatever went wrong on the way; the lab is taken down.
    pub fn up_or_skip(name: &str, packages: Packages, topology: Topology) -> Result<Option<Self>> {
        let mut hosts = vec![CONTROLLER];
        hosts.extend(topology.nodes.iter().map(|(node, _)| *node));
        let Some(lab) = Lab::up_or_skip(&LabSpec::new(name, &hosts))? else { return Ok(None) };
        let fleet = Self { lab, packages, topology };
        fleet.install_controller().context("install the controller")?;
        for (node, role) in fleet.topology.nodes {
            fleet.install_agent(node).with_context(|| format!("install the agent on {node}"))?;
            fleet.enroll(node, role).with_context(|| format!("enrol {node}"))?;
        }
        Ok(Some(fleet))
    }

    /// The lab below it.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What the hosts have installed.
    #[must_use]
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// A host by name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn host(&self, name: &str) -> Result<&Host> {
        Ok(self.lab.host(name)?)
    }

    /// Lets everything stay up when this process ends.
    ///
    /// # Errors
    /// The lab's record could not be written.
    pub fn keep(self) -> Result<()> {
        Ok(self.lab.keep()?)
    }

    /// Takes everything down.
    ///
    /// # Errors
    /// What could not be taken down.
    pub fn down(self) -> Result<()> {
        Ok(self.lab.down()?)
    }

    /// Runs `omlctl`, whatever its exit code.
    ///
    /// # Errors
    /// It could not be started.
    pub fn ctl(&self, arguments: &[&str]) -> Result<Ended> {
        let output = self.ctl_command(arguments).output().context("start omlctl")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// Runs `omlctl` and gives its standard output; any exit code but 0 is an error.
    ///
    /// # Errors
    /// What it printed.
    pub fn ctl_ok(&self, arguments: &[&str]) -> Result<String> {
        let ended = self.ctl(arguments)?;
        ensure!(
            ended.code == 0,
            "omlctl {} ended with {}:\n{}{}",
            arguments.join(" "),
            ended.code,
            ended.stdout,
            ended.stderr
        );
        Ok(ended.stdout)
    }

    /// `omlctl` with this fleet's context, to be started by the caller.
    #[must_use]
    pub fn ctl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.packages.omlctl);
        command.args(arguments).env("OMLCTL_CONFIG", self.ctl_config()).env("NO_COLOR", "1");
        command
    }

    /// A one-time token.
    ///
    /// # Errors
    /// What `omlctl` printed.
    pub fn token(&self, arguments: &[&str]) -> Result<String> {
        let mut words = vec!["node", "token"];
        words.extend(arguments);
        words.extend(["-o", "json"]);
        let reply: serde_json::Value = serde_json::from_str(&self.ctl_ok(&words)?)?;
        Ok(reply["token"].as_str().context("a token in the reply")?.to_owned())
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &'static str {
        self.topology.tenant
    }

    /// The tenant's hosts.
    pub fn nodes(&self) -> impl Iterator<Item = &'static str> {
        self.topology.nodes.iter().map(|(node, _)| *node)
    }

    /// The tenant's first specification, as its operator writes it.
    ///
    /// # Errors
    /// The lab has no registry.
    pub fn spec(&self) -> Result<String> {
        Ok((self.topology.spec)(&self.lab.registry()?.name()))
    }

    /// Applies the first specification and waits until it runs; quick where it does already.
    ///
    /// # Errors
    /// What `omlctl` printed.
    pub fn settle(&self) -> Result<()> {
        let path = self.write_spec("first.yaml", &self.spec()?)?;
        self.ctl_ok(&["apply", "-f", &path, "--timeout", "30m"])?;
        Ok(())
    }

    /// Writes a specification to a file and gives its path.
    ///
    /// # Errors
    /// It could not be written.
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
        host.install_deb(&self.packages.controller)?;
        let password = "/etc/omlcontroller/registry.password";
        host.push(password, registry.password().as_bytes(), 0o600)?;
        let text = settings::controller_registries(&registry, password);
        host.push("/etc/omlcontroller/conf.d/lab.toml", text.as_bytes(), 0o600)?;
        let catalog = include_str!("../catalogs/small.yaml");
        host.push("/usr/share/omlcontroller/catalog/small.yaml", catalog.as_bytes(), 0o644)?;
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
        host.exec_ok(&[
            "chown",
            "-R",
            "omlcontroller:",
            "/etc/omlcontroller",
            "/var/lib/omlcontroller",
        ])?;
        host.exec_ok(&["systemctl", "enable", "--now", "omlcontroller"])?;
        let local = self.lab.folder().join("operator.toml");
        std::fs::write(&local, host.read(bundle)?)?;
        self.ctl_ok(&["context", "import", &local.to_string_lossy()])?;
        Ok(())
    }

    fn install_agent(&self, node: &str) -> Result<()> {
        let host = self.host(node)?;
        let registry = self.lab.registry()?;
        host.install_deb(&self.packages.agent)?;
        let password = "/etc/omlagent/registry.password";
        host.push(password, registry.password().as_bytes(), 0o600)?;
        let text = settings::agent(&registry, password);
        host.push("/etc/omlagent/conf.d/lab.toml", text.as_bytes(), 0o600)?;
        // Where the stack's certificates are; an operator puts them there.
        host.exec_ok(&["mkdir", "-p", "/etc/omnileads/certs"])?;
        for secret in SECRETS {
            host.push(&format!("/etc/omlagent/secrets/{secret}"), LAB_SECRET.as_bytes(), 0o600)?;
        }
        Ok(())
    }

    /// Gives a host its identity and starts its agent.
    ///
    /// # Errors
    /// What `omlagent enroll` printed.
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
            bail!("omlagent enroll: {}{}", enrolled.stdout, enrolled.stderr);
        }
        Ok(())
    }
}
