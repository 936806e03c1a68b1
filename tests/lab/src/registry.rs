//! A real registry with a login, on the bridge's address. Its content is built once and shared; what a lab changes stays in
//! that lab's own folder.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::cache::hex;
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::furnish::REGISTRY;
use crate::mounts::Overlay;
use crate::processes;
use crate::push::Client;
use crate::run::Run;
use crate::wait::until;

/// The registry's port; the faulty one in front of it has the next.
pub(crate) const PORT: u16 = 5000;
pub(crate) const FAULTY_PORT: u16 = 5001;
const USER: &str = "lab";
const START_LIMIT: Duration = Duration::from_secs(20);

/// A lab's registry.
#[derive(Debug, Clone)]
pub struct Registry {
    client: Client,
    user: String,
    password: String,
    folder: PathBuf,
}

impl Registry {
    /// Where this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        self.client.address
    }

    /// What hosts call it: `registry.lab:5000`.
    pub fn name(&self) -> String {
        format!("{REGISTRY}:{PORT}")
    }

    /// What hosts call the faulty way to it: `registry.lab:5001`, there while a `FaultyRegistry` lives.
    pub fn faulty_name(&self) -> String {
        format!("{REGISTRY}:{FAULTY_PORT}")
    }

    /// The login's user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The login's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The file that holds the login in the form of Docker's `config.json`, readable only by root.
    pub fn login_file(&self) -> PathBuf {
        self.folder.join("login.json")
    }

    /// The digest a tag points to; repositories are named like `omnileads/asterisk`.
    pub fn digest(&self, repository: &str, tag: &str) -> Result<String> {
        self.client.digest(repository, tag)
    }

    /// Gives an image a second tag, or moves a tag to another image.
    pub fn retag(&self, repository: &str, from: &str, to: &str) -> Result<()> {
        self.client.retag(repository, from, to)
    }

    /// Starts a registry for a lab: own login, own changes over the shared content.
    pub(crate) fn start(
        folder: &Path,
        gateway: Ipv4Addr,
        program: &Path,
        store: &Path,
    ) -> Result<()> {
        let own = folder.join("store");
        Overlay {
            lower: &[store],
            upper: &folder.join("upper"),
            work: &folder.join("work"),
            at: &own,
        }
        .mount()?;
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random)
            .map_err(|error| LabError::Invalid(format!("no random password: {error}")))?;
        let password = hex(&random);
        let line =
            Run::new("htpasswd").args(["-n", "-i", "-B", USER]).stdin(password.clone()).ok()?;
        let passwords = folder.join("htpasswd");
        write(&passwords, &line.stdout, 0o600)?;
        write(&folder.join("password"), &password, 0o600)?;
        let token = STANDARD.encode(format!("{USER}:{password}"));
        let auth = |port| (format!("{REGISTRY}:{port}"), json!({ "auth": token }));
        let auths: serde_json::Map<_, _> = [auth(PORT), auth(FAULTY_PORT)].into_iter().collect();
        write(&folder.join("login.json"), &json!({ "auths": auths }).to_string(), 0o600)?;
        let address = SocketAddr::from((gateway, PORT));
        serve(program, folder, &own, address, Some(&passwords))
    }

    /// The registry of a lab that is up.
    pub(crate) fn open(folder: &Path, gateway: Ipv4Addr) -> Result<Self> {
        let file = folder.join("password");
        let password = std::fs::read_to_string(&file).map_err(LabError::io("read", &file))?;
        Ok(Self {
            client: Client {
                address: SocketAddr::from((gateway, PORT)),
                login: Some((USER.to_owned(), password.clone())),
            },
            user: USER.to_owned(),
            password,
            folder: folder.to_path_buf(),
        })
    }
}

/// Runs the program on this content until `stop`, and waits until it answers.
pub(crate) fn serve(
    program: &Path,
    folder: &Path,
    store: &Path,
    address: SocketAddr,
    passwords: Option<&Path>,
) -> Result<()> {
    let mut settings = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {"filesystem": {"rootdirectory": store}, "delete": {"enabled": true}},
        "http": {"addr": address},
    });
    if let (Some(path), Some(settings)) = (passwords, settings.as_object_mut()) {
        let login = json!({"htpasswd": {"realm": "lab", "path": path}});
        settings.insert("auth".into(), login);
    }
    // JSON is YAML, which the program reads.
    let file = folder.join("config.yml");
    write(&file, &settings.to_string(), 0o600)?;
    let path = folder.join("registry.log");
    let log = File::create(&path).map_err(LabError::io("open", &path))?;
    let errors = log.try_clone().map_err(LabError::io("open", &path))?;
    let mut child = Command::new("setsid")
        .args([program.as_os_str(), "serve".as_ref(), file.as_os_str()])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(LabError::io("start", program))?;
    thread::spawn(move || child.wait());
    let client = Client { address, login: None };
    until("an answer of the registry", START_LIMIT, || match client.front_door() {
        Ok(200 | 401) => Ok(()),
        Ok(status) => Err(format!("status {status}")),
        Err(error) => Err(error.to_string()),
    })
}

/// Ends every registry whose settings lie below this folder.
pub(crate) fn stop(folder: &Path) -> Result<()> {
    let settings = format!("{}/", folder.display());
    processes::end(&processes::started_with("docker-registry", &settings)?)
}
