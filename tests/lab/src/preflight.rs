//! Checks whether the lab can run on this machine and what has to be installed first. Only `install` changes the machine.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::unistd::Uid;

use crate::cache::FOLDER as FOLDER_OF_CACHE;
use crate::debian::mirror;
use crate::error::{LabError, Result};
use crate::images;
use crate::inotify;
use crate::mounts::Overlay;
use crate::processes;
use crate::progress::{log, timed};
use crate::recipes::{BOOKWORM, STORE, TOOLS};
use crate::release::Debian;
use crate::room::{self, Needed};
use crate::run::{Run, output_summary};

/// Each Debian package that is needed, and a program whose presence shows that it is installed.
const PACKAGES: [(&str, &str); 5] = [
    ("systemd-container", "systemd-nspawn"),
    ("debootstrap", "debootstrap"),
    ("apache2-utils", "htpasswd"),
    ("iproute2", "ip"),
    ("iptables", "iptables"),
];
const FOLDER: &str = "/var/lib/oml-lab";
/// What the base systems and images take on disk while they are built, which is more than what is kept of them.
const BUILT_BYTES: u64 = 7 << 30;
/// The same of the system of one more release of Debian.
const FURTHER_BYTES: u64 = 2 << 30;
/// The start of the names of folders in which a test overlay is mounted; a process id and a number follow.
const PROBE: &str = ".probe-";
const PROGRAM_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const MIRROR_LIMIT: Duration = Duration::from_secs(5);
/// The longest time that apt-get may take, which includes its wait for the lock and may be beside a build.
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);
/// Lets apt-get wait this number of seconds for another program that installs packages.
const WAIT_FOR_LOCK: [&str; 2] = ["-o", "DPkg::Lock::Timeout=300"];

/// What is still missing on a machine that can run the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The Debian packages that will be installed.
    pub packages: Vec<&'static str>,
    /// True if the base systems and images still have to be built from the Debian mirror.
    pub needs_build: bool,
    /// The releases of Debian whose hosts still have to be built, besides that of the base systems.
    pub further: Vec<Debian>,
    /// The number of inotify instances of a user, if it is lower than hosts need.
    pub low_instances: Option<u32>,
}

/// Checks the machine completely for a lab whose hosts have these releases; this needs root. The error is one sentence
/// that says why the lab cannot run here.
pub fn preflight(releases: &[Debian]) -> Result<Preflight> {
    require_root()?;
    let found = check_without_root(releases)?;
    check_overlay_mounts()?;
    Ok(found)
}

/// Returns an error unless this process runs as root.
pub(crate) fn require_root() -> Result<()> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    cannot_run("it needs root (systemd-nspawn, mounts, a network bridge)")
}

/// Checks what can be checked without root. `preflight` may find further obstacles.
pub fn check_without_root(releases: &[Debian]) -> Result<Preflight> {
    if !Path::new("/etc/debian_version").exists() || !is_installed("apt-get") {
        return cannot_run("it needs Debian 12 or newer with apt-get");
    }
    let found = Preflight {
        packages: PACKAGES
            .iter()
            .filter(|(_, program)| !is_installed(program))
            .map(|(package, _)| *package)
            .collect(),
        needs_build: !is_cached(releases),
        further: releases
            .iter()
            .copied()
            .filter(|release| *release != Debian::default() && !release.is_cached())
            .collect(),
        low_instances: inotify::low_limit()?,
    };
    let built = Needed { folder: Path::new(FOLDER_OF_CACHE), bytes: found.built_bytes() };
    room::check(Path::new(FOLDER), built)?;
    if found.downloads_anything() && !mirror_answers() {
        return cannot_run(&format!(
            "packages or base systems have to be downloaded, but the Debian mirror {} does not answer (set OML_LAB_MIRROR to use another)",
            mirror()
        ));
    }
    Ok(found)
}

/// Returns true if every base system and the registry's content have been built, so that the Debian mirror is not used.
fn is_cached(releases: &[Debian]) -> bool {
    let usual = Debian::default();
    let entries = [(TOOLS.name, TOOLS.stamp(&BOOKWORM)), (STORE, images::stamp_of_all())];
    let folder = Path::new(FOLDER_OF_CACHE);
    entries.iter().all(|(name, stamp)| folder.join(format!("{name}-{stamp}")).exists())
        && (!releases.contains(&usual) || usual.is_cached())
}

fn cannot_run<T>(why: &str) -> Result<T> {
    Err(LabError::CannotRun(why.to_owned()))
}

impl Preflight {
    /// Returns true if something has to be installed, built or raised.
    pub(crate) fn changes_anything(&self) -> bool {
        self.downloads_anything() || self.low_instances.is_some()
    }

    /// Returns true if something has to be installed or built.
    fn downloads_anything(&self) -> bool {
        self.needs_build || !self.packages.is_empty() || !self.further.is_empty()
    }

    /// Returns what the base systems and images take that still have to be built, with what is only needed meanwhile.
    fn built_bytes(&self) -> u64 {
        let further = u64::try_from(self.further.len()).unwrap_or(u64::MAX);
        let usual = if self.needs_build { BUILT_BYTES } else { 0 };
        usual.saturating_add(further.saturating_mul(FURTHER_BYTES))
    }

    /// Describes, one change per line, what is about to change on this machine.
    pub fn announcement(&self) -> String {
        let mut lines = Vec::new();
        if !self.packages.is_empty() {
            lines.push(format!(
                "installs the Debian packages {}, which stay installed",
                self.packages.join(", ")
            ));
        }
        if self.needs_build {
            lines.push(format!(
                "builds base systems and images from {} into /var/cache/oml-lab (up to 5 GB; `cargo xtask lab down --purge` removes them)",
                mirror()
            ));
        }
        lines.extend(self.further.iter().map(|release| {
            format!(
                "builds the system of hosts with {release} from {} beside them (about 1 GB)",
                mirror()
            )
        }));
        lines.extend(self.low_instances.map(inotify::announcement));
        lines.push(
            "makes a network bridge, and mounts and containers below /var/lib/oml-lab, while it runs (`cargo xtask lab down --purge` removes the folder)"
                .into(),
        );
        lines.join("\n")
    }

    /// Raises limits that are too low, and installs the missing packages.
    pub fn install(&self) -> Result<()> {
        // Hosts may do with the limit as it is, where nobody may raise it.
        if self.low_instances.is_some()
            && let Err(error) = inotify::raise_limit()
        {
            log(&error.to_string());
        }
        if self.packages.is_empty() {
            return Ok(());
        }
        timed("install packages", || install_packages(&self.packages))
    }
}

/// Installs packages, in a second try after what may have hindered the first is mended.
fn install_packages(packages: &[&str]) -> Result<()> {
    let run =
        |program| Run::new(program).env("DEBIAN_FRONTEND", "noninteractive").limit(INSTALL_LIMIT);
    let apt = || run("apt-get").args(WAIT_FOR_LOCK);
    let install = || apt().args(["install", "-y", "-q", "--no-install-recommends"]).args(packages);
    let first = install().output()?;
    if first.is_success() {
        return Ok(());
    }
    log("the installation failed; updating the package lists and trying once more");
    // An installation that was killed leaves packages with which apt-get installs no others.
    let configured = run("dpkg").args(["--configure", "-a"]).output()?;
    if !configured.is_success() {
        log(&format!("dpkg --configure -a: {}", output_summary(&configured)));
    }
    apt().args(["update", "-q"]).ok()?;
    install().ok().map(drop)
}

fn is_installed(program: &str) -> bool {
    PROGRAM_FOLDERS.iter().any(|folder| Path::new(folder).join(program).exists())
}

fn check_overlay_mounts() -> Result<()> {
    // Several threads of one process may run this check at the same time.
    static PROBES: AtomicU32 = AtomicU32::new(0);
    let number = PROBES.fetch_add(1, Ordering::Relaxed);
    let name = format!("{PROBE}{}-{number}", std::process::id());
    let folder = Path::new(FOLDER).join(name);
    remove_stale_probes();
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

/// Removes the test overlays of processes that were killed during this check.
fn remove_stale_probes() {
    let names = fs::read_dir(FOLDER).into_iter().flatten();
    for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PROBE).and_then(|rest| rest.split('-').next()?.parse().ok());
        if owner.is_none_or(processes::is_alive) {
            continue;
        }
        if let Err(error) = crate::cache::discard(&Path::new(FOLDER).join(&name)) {
            log(&format!("{FOLDER}/{name} of a killed process could not be removed: {error}"));
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
