//! Tools with fixed versions that cargo builds below the target folder, so that nothing is installed for the user.

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::{cargo, run, target_folder};

/// The tool that makes the Debian packages.
pub const CARGO_DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0" };
/// The tool that makes the packages for distributions that use rpm.
pub const CARGO_GENERATE_RPM: Tool = Tool { name: "cargo-generate-rpm", version: "0.21.1" };
/// The tool that checks our dependencies.
pub const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// A tool from crates.io with a fixed version.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    /// Returns a line that announces that the tool will be built, or `None` if it exists already.
    ///
    /// # Errors
    /// This crate was moved out of its folder in the workspace.
    pub fn announcement(self) -> Result<Option<String>> {
        if self.program()?.exists() {
            return Ok(None);
        }
        let Self { name, version } = self;
        let folder = tools_folder()?;
        Ok(Some(format!("builds {name} {version} from crates.io into {}", folder.display())))
    }

    /// Returns the path of the tool and builds it if it is missing.
    ///
    /// # Errors
    /// Cargo failed to build it.
    pub fn ensure(self) -> Result<PathBuf> {
        let program = self.program()?;
        if !program.exists() {
            let Self { name, version } = self;
            eprintln!("building {name} {version} into {}", self.folder()?.display());
            let mut install = cargo()?;
            install.args(["install", "--quiet", "--locked", name, "--version", version]);
            install.arg("--root").arg(self.folder()?);
            // What several tools depend on is built once. A tool runs for seconds, so that little of it is optimised.
            install.arg("--target-dir").arg(tools_folder()?.join("build")).arg("--debug");
            install.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
            run(&mut install, &format!("install {name}"))?;
        }
        Ok(program)
    }

    fn program(self) -> Result<PathBuf> {
        Ok(self.folder()?.join("bin").join(self.name))
    }

    fn folder(self) -> Result<PathBuf> {
        Ok(tools_folder()?.join(format!("{}-{}", self.name, self.version)))
    }
}

fn tools_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("tools"))
}
