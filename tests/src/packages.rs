//! Builds the Debian packages that hosts install from this checkout; below it `rpm`, those of other distributions.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tools::CARGO_DEB;
use crate::workspace::{cargo, run, target_folder, workspace_root};

pub mod rpm;

/// The cargo arguments that enable failpoints, with which a program can be made to die at a labelled step. Every build
/// of the tests uses the same arguments, so that they share what is built.
pub const TEST_FEATURES: [&str; 2] = ["--features", "omlagent/failpoints,omlcontroller/failpoints"];

/// A way to build the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    Release,
    /// The build for tests, which is quicker to make and has failpoints.
    Lab,
}

impl Build {
    pub(crate) fn profile(self) -> &'static str {
        match self {
            Build::Release => "release",
            Build::Lab => "lab",
        }
    }
}

/// The paths of the files that were built.
#[derive(Debug, Clone)]
pub struct Packages {
    /// The Debian package `omlagent`.
    pub agent: PathBuf,
    /// The Debian package `omlcontroller`.
    pub controller: PathBuf,
    /// The program `omlctl`, which runs on this machine.
    pub omlctl: PathBuf,
}

impl Packages {
    /// Builds the programs and packages of this checkout that are out of date.
    ///
    /// # Errors
    /// Cargo or cargo-deb failed.
    pub fn build(build: Build) -> Result<Self> {
        let (root, target) = (workspace_root()?, target_folder()?);
        let folder = target.join("deb").join(build.profile());
        Self::build_in(&root, &target, &folder, build)
    }

    /// Builds the programs and packages of the workspace in `root` in the given target folder, and puts the
    /// packages into `folder`. Two workspaces must not share a target folder: cargo takes the crates of one
    /// for those of the other.
    pub(crate) fn build_in(
        root: &Path,
        target: &Path,
        folder: &Path,
        build: Build,
    ) -> Result<Self> {
        let profile = build.profile();
        build_programs(root, target, build)?;
        let cargo_deb = CARGO_DEB.ensure()?;
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let package = |name: &str| -> Result<PathBuf> {
            let file = folder.join(format!("{name}.deb"));
            let mut pack = Command::new(&cargo_deb);
            pack.current_dir(root).env("CARGO_TARGET_DIR", target);
            pack.args(["--no-build", "--locked", "--quiet", "--profile", profile]);
            // The cargo profile decides about stripping.
            pack.args(["--no-strip", "-p", name, "--output"]).arg(&file);
            if build == Build::Lab {
                pack.arg("--fast");
            }
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

/// Builds the programs that are out of date.
fn build_programs(root: &Path, target: &Path, build: Build) -> Result<()> {
    let mut cargo = cargo()?;
    cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
    // A previous release has other settings of its own, with which no dependency could be shared.
    cargo.env("CARGO_PROFILE_LAB_OPT_LEVEL", "0").env("CARGO_PROFILE_LAB_CODEGEN_UNITS", "256");
    cargo.args(["build", "--locked", "--profile", build.profile()]);
    cargo.args(["-p", "omlagent", "-p", "omlcontroller", "-p", "omlctl"]);
    if build == Build::Lab {
        cargo.args(TEST_FEATURES);
    }
    run(&mut cargo, "build the programs")
}
