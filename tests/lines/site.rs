//! A site: its hosts, the images in the registry, and what an operator does before the first change.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::fleet::{CONTROLLER, Topology};
use oml_tests::lines::document::{self, SiteVersions};
use oml_tests::lines::line::{Line, Size};
use oml_tests::lines::{MIRRORS, add_images};
use oml_tests::observe::{SOON, sh};
use oml_tests::trial::{check, lab_name};
use oml_tests::{CtlOutput, Fleet, Packages};

/// The tag of an image of the application whose migration fails.
pub(crate) const BAD_MIGRATION: &str = "20991231-bad-migration";

/// The secret with which images are pulled.
const REGISTRY_PASSWORD: &str = "registry_password";
/// Where the controller reads the rules of mirrors.
const MIRRORS_FILE: &str = "/etc/omlcontroller/conf.d/mirrors.toml";
const RESTART: &str =
    "chown -R omlcontroller: /etc/omlcontroller && systemctl restart omlcontroller";
const NO_PROMETHEUS: &str = "rm -f /lib/systemd/system/prometheus.service /etc/init.d/prometheus && \
                             systemctl daemon-reload";
const CATALOGS: &str = "/usr/share/omlcontroller/catalog";

/// A site on which a line is tried.
pub(crate) struct Site {
    pub(crate) fleet: Fleet,
    pub(crate) line: &'static Line,
    pub(crate) size: Size,
    /// The versions of the first release.
    pub(crate) first: SiteVersions,
}

impl Site {
    /// Boots the hosts and does what an operator does before the first change: the releases, the mirror, the hosts'
    /// files. It returns `None` if this machine cannot run hosts.
    pub(crate) fn prepare(
        packages: Packages,
        line: &'static Line,
        size: Size,
    ) -> Result<Option<Self>> {
        let topology = Topology { nodes: line.nodes(size), ..Topology::acme() };
        let name = lab_name(&format!("line{}-{}", line.name.replace('.', ""), size.hosts()));
        let Some(fleet) = Fleet::up_or_skip(&name, packages, topology)? else { return Ok(None) };
        let site = Self { fleet, line, size, first: document::versions(line, size)? };
        site.push_images().context("put the images into the registry")?;
        site.configure_controller().context("configure the controller")?;
        site.write_files().context("write the files of the hosts")?;
        Ok(Some(site))
    }

    /// The host with the role of the data, the voice or the application, which are 0, 1 and 2.
    fn host(&self, place: usize) -> &'static str {
        self.size.host(place)
    }

    pub(crate) fn voice(&self) -> &'static str {
        self.host(1)
    }

    pub(crate) fn app(&self) -> &'static str {
        self.host(2)
    }

    /// The host with the Kamailio of browsers.
    pub(crate) fn edge(&self) -> &'static str {
        self.host(self.line.edge)
    }

    /// Puts the images of both releases into the registry, and that of an application whose migration fails.
    fn push_images(&self) -> Result<()> {
        let next = document::next(&self.first);
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        for versions in [&self.first, &next] {
            let all = versions.iter().filter(|(_, version)| !version.is_empty());
            wanted.extend(all.map(|(name, version)| (name.as_str(), version.as_str())));
        }
        wanted.push((self.line.application, BAD_MIGRATION));
        add_images(self.fleet.lab(), self.line.name, &wanted)
    }

    fn configure_controller(&self) -> Result<()> {
        let host = self.fleet.host(CONTROLLER)?;
        host.push(MIRRORS_FILE, MIRRORS.as_bytes(), 0o644)?;
        let releases = document::releases(self.line, &self.first)?;
        let path = format!("{CATALOGS}/omnileads-{}.releases.yaml", self.line.name);
        host.push(&path, releases.as_bytes(), 0o644)?;
        let checked =
            sh(&self.fleet, CONTROLLER, &format!("omlcontroller catalog check {path} 2>&1"))?;
        check(checked.contains(self.line.catalog), checked)?;
        sh(&self.fleet, CONTROLLER, RESTART)?;
        until("the controller answers", SOON, || {
            self.fleet.ctl_ok(&["get", "nodes"]).map_err(|error| format!("{error:#}"))
        })?;
        Ok(())
    }

    /// Writes the files, and makes room for the unit of Prometheus, of which the test hosts have the package.
    fn write_files(&self) -> Result<()> {
        for node in self.fleet.nodes() {
            let host = self.fleet.host(node)?;
            if self.size == Size::Three {
                sh(&self.fleet, node, NO_PROMETHEUS)?;
            }
            for (path, text) in self.line.files {
                let text = text.replace("ADDRESS", &host.address().to_string());
                host.push(path, text.as_bytes(), 0o644)?;
            }
        }
        Ok(())
    }

    /// Writes a document with these versions, and returns its path.
    pub(crate) fn document(&self, versions: &SiteVersions) -> Result<String> {
        let secrets = document::secrets(&document::catalog(self.line)?, versions);
        let text = document::text(self.line, versions, &secrets);
        let edge = self.fleet.host(self.edge())?.address().to_string();
        let text = text.replace("EDGE_ADDRESS", &edge);
        let text = text.replace("\ncomponents:\n", &format!("\n{}components:\n", self.login()?));
        self.fleet.write_spec("acme.yaml", &text)
    }

    /// The login of the tenant to the registry, which is rotated during a call.
    fn login(&self) -> Result<String> {
        let registry = self.fleet.lab().registry()?;
        let (name, user) = (registry.name(), registry.user());
        let login = format!("{{username: {user}, password: {REGISTRY_PASSWORD}}}");
        Ok(format!("registries:\n  {name}: {login}\n"))
    }

    /// Gives the controller the password of the registry with `secret set`, or once more with `secret rotate`.
    pub(crate) fn give_login(&self, verb: &str) -> Result<()> {
        let registry = self.fleet.lab().registry()?;
        self.send_secret(verb, REGISTRY_PASSWORD, registry.password())
    }

    /// Gives every secret of the site a value: one that the controller makes, or what has a form of its own.
    pub(crate) fn make_secrets(&self) -> Result<()> {
        let catalog = document::catalog(self.line)?;
        for name in document::secrets(&catalog, &self.first) {
            match FORMS.iter().find(|(form, _)| *form == name.as_ref()) {
                Some((_, value)) => self.set_secret(name.as_ref(), value)?,
                None => {
                    self.fleet.ctl_ok(&["secret", "generate", "tenant=acme", name.as_ref()])?;
                }
            }
        }
        self.give_login("set")
    }

    /// Gives a secret a value as an operator does, by standard input.
    pub(crate) fn set_secret(&self, name: &str, value: &str) -> Result<()> {
        self.send_secret("set", name, value)
    }

    fn send_secret(&self, verb: &str, name: &str, value: &str) -> Result<()> {
        let mut command = self.fleet.ctl_command(&["secret", verb, "tenant=acme", name]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut input = child.stdin.take().context("take the input")?;
        input.write_all(value.as_bytes())?;
        drop(input);
        let ended = child.wait()?;
        check(ended.success(), format!("omlctl secret {verb} {name}: {ended}"))
    }

    /// Runs `omlctl` and returns what it printed if it ended with this code.
    pub(crate) fn ctl(&self, code: i32, words: &[&str]) -> Result<String> {
        let CtlOutput { code: ended, stdout, stderr } = self.fleet.ctl(words)?;
        let said = stdout + &stderr;
        check(ended == code, format!("omlctl {}: {ended}: {said}", words.join(" ")))?;
        Ok(said)
    }
}

/// Secrets that are no passwords, with a value of their form.
const FORMS: [(&str, &str); 2] = [
    ("postgres_exporter_dsn", "postgresql://omnileads@127.0.0.1:5432/omnileads"),
    ("dialer_websocket_url", "redis://127.0.0.1:6379"),
];
