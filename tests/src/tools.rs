//! Programs of fixed versions that cargo builds below the target folder: nothing is installed for the user.

use std::path::PathBuf;

use anyhow::Result;

use crate::packages::{cargo, run, target_folder};

/// Packs the Debian packages.
pub const CARGO_DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0" };
/// Looks at what we depend on.
pub const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Tool {
    /// A line that says it will be installed; none where it is there.
    ///
    /// # Errors
    /// Only when the crate was moved.
    pub fn announcement(self) -> Result<Option<String>> {
        if self.program()?.exists() {
            return Ok(None);
        }
        let Self { name, version } = self;
        let folder = target_folder()?.join("tools");
        Ok(Some(format!("builds {name} {version} from crates.io into {}", folder.display())))
    }

    /// The program, built now if it is missing.
    ///
    /// # Errors
    /// What cargo says.
    pub fn ensure(self) -> Result<PathBuf> {
        let program = self.program()?;
        if !program.exists() {
            let Self { name, version } = self;
            eprintln!("building {name} {version} into {}", self.folder()?.display());
            let mut install = cargo()?;
            install.args(["install", "--quiet", "--locked", name, "--version", version]);
            install.arg("--root").arg(self.folder()?);
            run(&mut install, &format!("install {name}"))?;
        }
        Ok(program)
    }

    fn program(self) -> Result<PathBuf> {
        Ok(self.folder()?.join("bin").join(self.name))
    }

    fn folder(self) -> Result<PathBuf> {
        Ok(target_folder()?.join("tools").join(format!("{}-{}", self.name, self.version)))
    }
}
