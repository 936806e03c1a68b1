//! The Debian packages that hosts install, built from this checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools::CARGO_DEB;

/// Test builds can be told to die at a labelled step. One set for every build of the tests, so that they share what is built.
pub const TEST_FEATURES: [&str; 2] = ["--features", "omlagent/failpoints,omlcontroller/failpoints"];

/// Which build of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    Release,
    /// For tests: quicker to build, and can be told to die at a labelled step.
    Lab,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct Packages {
    /// Package `omlagent`.
    pub agent: PathBuf,
    /// Package `omlcontroller`.
    pub controller: PathBuf,
    /// The command line, run from this machine.
    pub omlctl: PathBuf,
}

impl Packages {
    /// Builds whatever is out of date.
    ///
    /// # Errors
    /// What cargo says, or which file it did not make.
    pub fn build(build: Build) -> Result<Self> {
        let root = root()?;
        let target = target_folder()?;
        let profile = match build {
            Build::Release => "release",
            Build::Lab => "lab",
        };
        let mut cargo = cargo()?;
        cargo.args(["build", "--locked", "--profile", profile]);
        cargo.args(["-p", "omlagent", "-p", "omlcontroller", "-p", "omlctl"]);
        if build == Build::Lab {
            cargo.args(TEST_FEATURES);
        }
        run(&mut cargo, "build the programs")?;
        let cargo_deb = CARGO_DEB.ensure()?;
        let folder = target.join("deb").join(profile);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let package = |name: &str| -> Result<PathBuf> {
            let file = folder.join(format!("{name}.deb"));
            let mut pack = Command::new(&cargo_deb);
            pack.current_dir(&root).args([
                "--no-build",
                "--locked",
                "--quiet",
                "--profile",
                profile,
            ]);
            // Stripping is the profile's affair.
            pack.args(["--no-strip", "-p", name, "--output"]).arg(&file);
            run(&mut pack, &format!("pack {name}"))?;
            Ok(file)
        };
        Ok(Self {
            agent: package("omlagent")?,
            controller: package("omlcontroller")?,
            omlctl: target.join(profile).join("omlctl"),
        })
    }
}

/// The workspace's root.
///
/// # Errors
/// Only when the crate was moved.
pub fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("the crate is a folder of the workspace")?.to_path_buf())
}

/// Where cargo puts what it builds.
///
/// # Errors
/// Only when the crate was moved.
pub fn target_folder() -> Result<PathBuf> {
    let root = root()?;
    Ok(std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |dir| root.join(dir)))
}

/// `cargo`, to be run in this workspace.
///
/// # Errors
/// Only when the crate was moved.
pub fn cargo() -> Result<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()?);
    // What an outer cargo says of its own package would make build scripts run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"]
            .iter()
            .any(|p| name.starts_with(p))
        {
            cargo.env_remove(&*name);
        }
    }
    Ok(cargo)
}

pub(crate) fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: start {command:?}"))?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}
