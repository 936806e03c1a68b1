//! Runs a real registry with a login on the bridge's address. Its content is built once and shared by all labs; the
//! changes that a lab makes stay in that lab's own folder.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cache::hex;
use crate::debian::write;
use crate::error::{LabError, Result};
use crate::host_files::REGISTRY;
use crate::mounts::Overlay;
use crate::processes;
use crate::push::Client;
use crate::run::Run;
use crate::variant::Variant;
use crate::wait::until;

/// The registry's port.
pub(crate) const PORT: u16 = 5000;
/// The port of the faulty proxy in front of the registry.
pub(crate) const FAULTY_PORT: u16 = 5001;
const USER: &str = "lab";
const START_LIMIT: Duration = Duration::from_secs(20);

/// The registry of a running lab.
#[derive(Debug, Clone)]
pub struct Registry {
    client: Client,
    user: String,
    password: String,
    folder: PathBuf,
}

impl Registry {
    /// Returns the address at which this machine reaches the registry.
    pub fn address(&self) -> SocketAddr {
        self.client.address
    }

    /// Returns the name by which hosts reach the registry: `registry.lab:5000`.
    pub fn name(&self) -> String {
        format!("{REGISTRY}:{PORT}")
    }

    /// Returns the name by which hosts reach the faulty proxy: `registry.lab:5001`. It only answers while a
    /// `FaultyRegistry` exists.
    pub fn faulty_name(&self) -> String {
        format!("{REGISTRY}:{FAULTY_PORT}")
    }

    /// Returns the user name of the login.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password of the login.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Returns the file that holds the login in the format of Docker's `config.json`. Only root can read it.
    pub fn login_file(&self) -> PathBuf {
        self.folder.join("login.json")
    }

    /// Returns the digest that a tag points to. Repositories have names like `omnileads/asterisk`.
    pub fn digest(&self, repository: &str, tag: &str) -> Result<String> {
        self.client.digest(repository, tag)
    }

    /// Makes the tag `to` point to the image of the tag `from`.
    pub fn retag(&self, repository: &str, from: &str, to: &str) -> Result<()> {
        self.client.retag(repository, from, to)
    }

    /// Pushes an image that cannot be used, made from the image of the tag `from`, under the tag `to`. Returns its digest.
    pub fn push_variant(
        &self,
        repository: &str,
        from: &str,
        to: &str,
        variant: Variant,
    ) -> Result<String> {
        self.client.push_variant(repository, from, to, variant)
    }

    /// Starts a lab's registry with its own login, and with an overlay for its own changes over the shared content.
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
        getrandom::fill(&mut random).map_err(|error| {
            LabError::Invalid(format!("cannot make a random password: {error}"))
        })?;
        let password = hex(&random);
        let passwords = write_login(folder, USER, &password)?;
        write(&folder.join("password"), &password, 0o600)?;
        let token = STANDARD.encode(format!("{USER}:{password}"));
        let auth = |port| (format!("{REGISTRY}:{port}"), json!({ "auth": token }));
        let auths: serde_json::Map<_, _> = [auth(PORT), auth(FAULTY_PORT)].into_iter().collect();
        write(&folder.join("login.json"), &json!({ "auths": auths }).to_string(), 0o600)?;
        let address = SocketAddr::from((gateway, PORT));
        let served =
            Served { folder, store: &own, address, passwords: Some(&passwords), tls: None };
        served.start(program)
    }

    /// Returns the registry of a running lab.
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

/// Writes a login into the folder of a registry, and returns the file.
pub(crate) fn write_login(folder: &Path, user: &str, password: &str) -> Result<PathBuf> {
    let line =
        Run::new("htpasswd").args(["-n", "-i", "-B", user]).stdin(password.to_owned()).ok()?;
    let file = folder.join("htpasswd");
    write(&file, &line.stdout, 0o600)?;
    Ok(file)
}

/// What a registry program serves, and how.
pub(crate) struct Served<'a> {
    /// The folder of its settings and its log.
    pub(crate) folder: &'a Path,
    /// The folder with its content.
    pub(crate) store: &'a Path,
    pub(crate) address: SocketAddr,
    /// The file with the logins, if it requires one.
    pub(crate) passwords: Option<&'a Path>,
    /// The files with its certificate and its key, if it speaks TLS.
    pub(crate) tls: Option<(&'a Path, &'a Path)>,
}

impl Served<'_> {
    /// Starts the registry program and waits until it answers. It runs until `stop` is called.
    pub(crate) fn start(&self, program: &Path) -> Result<()> {
        let Self { folder, address, .. } = *self;
        // The program reads YAML, and every JSON text is also YAML.
        let file = folder.join("config.yml");
        write(&file, &self.settings().to_string(), 0o600)?;
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
        until("an answer from the registry", START_LIMIT, || match client.api_status() {
            Ok(200 | 401) => Ok(()),
            // It speaks TLS, and says so.
            Ok(400) if self.tls.is_some() => Ok(()),
            Ok(status) => Err(format!("status {status}")),
            Err(error) => Err(error.to_string()),
        })
    }

    fn settings(&self) -> Value {
        let mut http = json!({ "addr": self.address });
        if let (Some((certificate, key)), Some(http)) = (self.tls, http.as_object_mut()) {
            http.insert("tls".into(), json!({"certificate": certificate, "key": key}));
        }
        let mut settings = json!({
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": self.store}, "delete": {"enabled": true}},
            "http": http,
        });
        if let (Some(path), Some(settings)) = (self.passwords, settings.as_object_mut()) {
            let login = json!({"htpasswd": {"realm": "lab", "path": path}});
            settings.insert("auth".into(), login);
        }
        settings
    }
}

/// Kills every registry whose settings file is below this folder.
pub(crate) fn stop(folder: &Path) -> Result<()> {
    let settings = format!("{}/", folder.display());
    processes::kill_all(&processes::find_by_argument("docker-registry", &settings)?)
}
