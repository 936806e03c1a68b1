//! The workspace of this checkout, and cargo in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Returns the root folder of the workspace.
///
/// # Errors
/// This crate was moved out of its folder in the workspace.
pub fn workspace_root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("find the folder above this crate")?.to_path_buf())
}

/// Returns cargo's target folder.
///
/// # Errors
/// This crate was moved out of its folder in the workspace.
pub fn target_folder() -> Result<PathBuf> {
    let root = workspace_root()?;
    Ok(std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |dir| root.join(dir)))
}

/// Returns a `cargo` command that runs in this workspace.
///
/// # Errors
/// This crate was moved out of its folder in the workspace.
pub fn cargo() -> Result<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace_root()?);
    // Variables that an outer cargo sets for its own package would make build scripts run again.
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
