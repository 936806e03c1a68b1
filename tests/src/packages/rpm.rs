//! Builds the same packages for distributions that use rpm.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Build, Packages, build_programs};
use crate::tools::CARGO_GENERATE_RPM;
use crate::workspace::{run, target_folder, workspace_root};

/// The paths of the packages that were built.
#[derive(Debug, Clone)]
pub struct Rpms {
    /// The package `omlagent`.
    pub agent: PathBuf,
    /// The package `omlcontroller`.
    pub controller: PathBuf,
    /// The package `omlctl`.
    pub omlctl: PathBuf,
}

impl Rpms {
    /// Builds the programs that are out of date, and the packages with this release number, which says how often a
    /// version was packed.
    ///
    /// # Errors
    /// Cargo or cargo-generate-rpm failed.
    pub fn build(build: Build, release: u32) -> Result<Self> {
        let (root, target, profile) = (workspace_root()?, target_folder()?, build.profile());
        build_programs(&root, &target, build)?;
        let tool = CARGO_GENERATE_RPM.ensure()?;
        let folder = target.join("rpm").join(profile);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let package = |crate_folder: &str, name: &str| -> Result<PathBuf> {
            let file = folder.join(match release {
                1 => format!("{name}.rpm"),
                later => format!("{name}-{later}.rpm"),
            });
            let mut pack = Command::new(&tool);
            pack.current_dir(&root).args(["--package", crate_folder, "--profile", profile]);
            pack.arg("--target-dir").arg(&target).arg("--output").arg(&file);
            pack.args(["--set-metadata", &format!("release = \"{release}\"")]);
            if build == Build::Lab {
                // The usual zstd compresses with a high level, which takes minutes.
                pack.args(["--payload-compress", "gzip"]);
            }
            run(&mut pack, &format!("pack {name}"))?;
            Ok(file)
        };
        Ok(Self {
            agent: package("agent", "omlagent")?,
            controller: package("controller", "omlcontroller")?,
            omlctl: package("omlctl", "omlctl")?,
        })
    }

    /// Returns these packages in the place of the Debian packages, for a fleet whose hosts install them.
    #[must_use]
    pub fn in_place_of(&self, packages: &Packages) -> Packages {
        let (agent, controller) = (self.agent.clone(), self.controller.clone());
        Packages { agent, controller, omlctl: packages.omlctl.clone() }
    }
}
