//! The Debian packages that hosts install, built from this checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const CARGO_DEB_VERSION: &str = "3.8.0";

/// Which build of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// As released.
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
        let target = target_folder(&root);
        let profile = match build {
            Build::Release => "release",
            Build::Lab => "lab",
        };
        let mut cargo = cargo_in(&root);
        cargo.args(["build", "--locked", "--profile", profile]);
        cargo.args(["-p", "omlagent", "-p", "omlcontroller", "-p", "omlctl"]);
        if build == Build::Lab {
            cargo.args(["--features", "omlagent/kill-points,omlcontroller/kill-points"]);
        }
        run(&mut cargo, "build the programs")?;
        let cargo_deb = cargo_deb(&root, &target)?;
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

fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// `cargo`, to be run in this workspace.
///
/// # Errors
/// Only when the crate was moved.
pub fn cargo() -> Result<Command> {
    Ok(cargo_in(&root()?))
}

fn cargo_in(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
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
    cargo
}

/// cargo-deb of a fixed version, in the target folder: nothing is installed for the user.
fn cargo_deb(root: &Path, target: &Path) -> Result<PathBuf> {
    let tools = target.join("tools");
    let program = tools.join(format!("cargo-deb-{CARGO_DEB_VERSION}/bin/cargo-deb"));
    if !program.exists() {
        eprintln!("installing cargo-deb {CARGO_DEB_VERSION} into {}", tools.display());
        let mut install = cargo_in(root);
        install.args([
            "install",
            "--quiet",
            "--locked",
            "cargo-deb",
            "--version",
            CARGO_DEB_VERSION,
        ]);
        install.arg("--root").arg(tools.join(format!("cargo-deb-{CARGO_DEB_VERSION}")));
        run(&mut install, "install cargo-deb")?;
    }
    Ok(program)
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: start {command:?}"))?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}
