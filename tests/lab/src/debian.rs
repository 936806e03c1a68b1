//! Builds base systems from Debian packages: minimal systems with debootstrap, and layers of packages on top of them.
//! This module does not depend on what the systems are used for.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::{self, Cache, stamp};
use crate::error::{LabError, Result};
use crate::mounts::{self, Overlay};
use crate::run::Run;

/// Raise this number when the way systems are built changes but the recipes do not.
const REVISION: &str = "1";
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// This policy script stops packages from starting their services during installation.
const POLICY: &str = "#!/bin/sh\nexit 101\n";
/// These dpkg settings leave out documentation and the sync after every file, because the systems are temporary.
const DPKG: &str = "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n\
                    path-exclude=/usr/share/info/*\npath-exclude=/usr/share/locale/*\n";

/// Returns the URL that Debian packages are downloaded from.
pub(crate) fn mirror() -> String {
    std::env::var("OML_LAB_MIRROR").unwrap_or_else(|_| "http://deb.debian.org/debian".into())
}

/// The recipe of a complete system that debootstrap makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) suite: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// Run by `sh` inside at the end.
    pub(crate) finish: &'static str,
}

/// The recipe of packages on top of a system. Only the difference to the system is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackageLayer {
    pub(crate) name: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// Run by `sh` inside at the end.
    pub(crate) finish: &'static str,
}

impl System {
    /// Returns a stamp that changes whenever the built files would.
    pub(crate) fn stamp(&self) -> String {
        stamp(&[REVISION, self.suite, &self.packages.join(" "), self.finish, POLICY, DPKG])
    }

    /// Returns the system's folder and builds it if it is missing.
    pub(crate) fn build(&self, cache: &Cache) -> Result<PathBuf> {
        cache.entry(self.name, &self.stamp(), |folder| self.debootstrap(folder))
    }

    fn debootstrap(&self, folder: &Path) -> Result<()> {
        let mut run = Run::new("debootstrap").args(["--variant=minbase"]);
        if !self.packages.is_empty() {
            run = run.args([format!("--include={}", self.packages.join(","))]);
        }
        run.args([self.suite.as_ref(), folder.as_os_str(), mirror().as_ref()])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .limit(BUILD_LIMIT)
            .ok()?;
        write(&folder.join("usr/sbin/policy-rc.d"), POLICY, 0o755)?;
        write(&folder.join("etc/dpkg/dpkg.cfg.d/lab"), DPKG, 0o644)?;
        chroot(folder, self.finish)
    }
}

impl PackageLayer {
    /// Returns a stamp that changes whenever the built files would.
    pub(crate) fn stamp(&self, below: &System) -> String {
        stamp(&[&below.stamp(), &self.packages.join(" "), self.finish])
    }

    /// Returns the folder with the layer's difference to `below` and builds it if it is missing.
    pub(crate) fn build(&self, cache: &Cache, below: &System) -> Result<PathBuf> {
        let system = below.build(cache)?;
        let entry =
            cache.entry(self.name, &self.stamp(below), |folder| self.install(folder, &system))?;
        Ok(entry.join("upper"))
    }

    fn install(&self, folder: &Path, system: &Path) -> Result<()> {
        let (upper, at) = (folder.join("upper"), folder.join("root"));
        Overlay { lower: &[system], upper: &upper, work: &folder.join("work"), at: &at }.mount()?;
        let install =
            "apt-get install -y -q --no-install-recommends ".to_owned() + &self.packages.join(" ");
        let script = format!("set -e\n{install} || {{ apt-get update -q; {install}; }}\n");
        let done = chroot(&at, &script).and_then(|()| chroot(&at, self.finish));
        mounts::unmount_below(&at)?;
        done?;
        for scratch in ["root", "work"] {
            cache::discard(&folder.join(scratch))?;
        }
        remove_whiteouts(&upper)
    }
}

/// Runs a shell script with a folder as its root directory.
pub(crate) fn chroot(folder: &Path, script: &str) -> Result<()> {
    Run::new("chroot")
        .args([folder.as_os_str(), "/bin/sh".as_ref(), "-s".as_ref()])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(script)
        .limit(BUILD_LIMIT)
        .ok()
        .map(drop)
}

/// Writes a file with this mode and creates its folder.
pub(crate) fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(LabError::io("make the folder", folder))?;
    }
    fs::write(path, content).map_err(LabError::io("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(LabError::io("set the mode of", path))
}

/// Removes the whiteouts from a layer. An overlay records a removed file as a character device (a whiteout), and image
/// layers use another form. Here the only removed files are leftovers of package tools, so the whiteout is dropped and
/// the file in the layer below stays.
fn remove_whiteouts(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(LabError::io("list", folder))?;
    for entry in entries.filter_map(std::result::Result::ok) {
        let (path, kind) = (entry.path(), entry.file_type());
        let kind = kind.map_err(LabError::io("look at", &path))?;
        if kind.is_char_device() {
            fs::remove_file(&path).map_err(LabError::io("remove", &path))?;
        } else if kind.is_dir() {
            remove_whiteouts(&path)?;
        }
    }
    Ok(())
}
