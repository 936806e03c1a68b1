//! Can the lab run on this machine, and what has to be installed first? It looks and tells; only `install` changes anything.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::unistd::Uid;

use crate::debian::{self, mirror};
use crate::error::{LabError, Result};
use crate::mounts::Overlay;
use crate::processes;
use crate::run::Run;
use crate::say::{say, timed};

/// Package, and a program that shows it is there.
const PACKAGES: [(&str, &str); 5] = [
    ("systemd-container", "systemd-nspawn"),
    ("debootstrap", "debootstrap"),
    ("apache2-utils", "htpasswd"),
    ("iproute2", "ip"),
    ("iptables", "iptables"),
];
const FOLDER: &str = "/var/lib/oml-lab";
/// Folders in which overlays are tried; the number of their process follows.
const PROBE: &str = ".probe-";
const PROGRAM_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const MIRROR_LIMIT: Duration = Duration::from_secs(5);
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// What is missing on a machine that can carry the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Debian packages that will be installed.
    pub packages: Vec<&'static str>,
    /// True when the base systems and images still have to be built, from the Debian mirror.
    pub is_cold: bool,
}

/// Looks at the machine, as root. The error is one sentence that says why the lab cannot run here.
pub fn preflight() -> Result<Preflight> {
    need_root()?;
    let found = look()?;
    can_mount_overlays()?;
    Ok(found)
}

/// Only root makes labs.
pub(crate) fn need_root() -> Result<()> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    cannot("it needs root (systemd-nspawn, mounts, a network bridge)")
}

/// What can be told of the machine without root: `preflight` may find more in the way.
pub fn look() -> Result<Preflight> {
    if !Path::new("/etc/debian_version").exists() || !is_installed("apt-get") {
        return cannot("it needs Debian 12 or newer with apt-get");
    }
    let found = Preflight {
        packages: PACKAGES
            .iter()
            .filter(|(_, program)| !is_installed(program))
            .map(|(package, _)| *package)
            .collect(),
        is_cold: !debian::is_cached(),
    };
    if (found.is_cold || !found.packages.is_empty()) && !mirror_answers() {
        return cannot(&format!(
            "the Debian mirror {} does not answer, and there are packages or base systems to fetch (set OML_LAB_MIRROR to use another)",
            mirror()
        ));
    }
    Ok(found)
}

fn cannot<T>(why: &str) -> Result<T> {
    Err(LabError::CannotRun(why.to_owned()))
}

impl Preflight {
    /// What is about to change on this machine, for a person to read first.
    pub fn announcement(&self) -> String {
        let mut lines = Vec::new();
        if !self.packages.is_empty() {
            lines.push(format!(
                "installs the Debian packages {}; they stay",
                self.packages.join(", ")
            ));
        }
        if self.is_cold {
            lines.push(format!(
                "builds base systems and images from {} into /var/cache/oml-lab (about 4 GB; `cargo xtask lab down --purge` removes them)",
                mirror()
            ));
        }
        lines.push(
            "makes a network bridge, mounts and containers below /var/lib/oml-lab while it runs (`cargo xtask lab down --purge` removes the folder)"
                .into(),
        );
        lines.join("\n")
    }

    /// Installs what is missing.
    pub fn install(&self) -> Result<()> {
        if self.packages.is_empty() {
            return Ok(());
        }
        timed("install packages", || {
            let install = ["install", "-y", "-q", "--no-install-recommends"];
            let apt = || {
                Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").limit(INSTALL_LIMIT)
            };
            let first = apt().args(install).args(&self.packages).output()?;
            if first.is_success() {
                return Ok(());
            }
            say("the package lists may be old: updating them");
            apt().args(["update", "-q"]).ok()?;
            apt().args(install).args(&self.packages).ok().map(drop)
        })
    }
}

fn is_installed(program: &str) -> bool {
    PROGRAM_FOLDERS.iter().any(|folder| Path::new(folder).join(program).exists())
}

fn can_mount_overlays() -> Result<()> {
    // Threads of one process look at the same time.
    static PROBES: AtomicU32 = AtomicU32::new(0);
    let number = PROBES.fetch_add(1, Ordering::Relaxed);
    let name = format!("{PROBE}{}-{number}", std::process::id());
    let folder = Path::new(FOLDER).join(name);
    forget_dead_probes();
    let lower = folder.join("lower");
    fs::create_dir_all(&lower).map_err(LabError::io("make the folder", &lower))?;
    let mounted = Overlay {
        lower: &[&lower],
        upper: &folder.join("upper"),
        work: &folder.join("work"),
        at: &folder.join("at"),
    }
    .mount();
    crate::cache::discard(&folder)?;
    mounted.map_err(|error| {
        LabError::CannotRun(format!(
            "overlay file systems cannot be mounted below /var/lib/oml-lab ({error})"
        ))
    })
}

/// What a process left that was killed while it looked.
fn forget_dead_probes() {
    let names = fs::read_dir(FOLDER).into_iter().flatten();
    for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PROBE).and_then(|rest| rest.split('-').next()?.parse().ok());
        if owner.is_none_or(processes::is_alive) {
            continue;
        }
        if let Err(error) = crate::cache::discard(&Path::new(FOLDER).join(&name)) {
            say(&format!("{name} of a killed process stays: {error}"));
        }
    }
}

fn mirror_answers() -> bool {
    if ["http_proxy", "HTTP_PROXY"].iter().any(|name| std::env::var_os(name).is_some()) {
        return true;
    }
    let url = mirror();
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    let port = if scheme == "https" { 443 } else { 80 };
    let addresses = match authority.contains(':') {
        true => authority.to_socket_addrs(),
        false => (authority, port).to_socket_addrs(),
    };
    addresses.is_ok_and(|mut found| {
        found.any(|address| TcpStream::connect_timeout(&address, MIRROR_LIMIT).is_ok())
    })
}
