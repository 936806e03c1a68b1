//! Whether a verb gets real hosts: what the machine has, what will change on it, and root.

use anyhow::{Context, Result, bail};
use oml_lab::{LabError, check_without_root, preflight};

use crate::announce::announce;
use crate::elevate::{ask_sudo, become_root, has_sudo, is_root, take_back};

/// Says what the machine gets and asks for root; or why there will be no hosts.
pub(crate) fn ask() -> Result<Result<(), String>> {
    if !is_root() && !has_sudo() {
        return Ok(Err("it needs root, and there is no sudo here".to_owned()));
    }
    match if is_root() { preflight() } else { check_without_root() } {
        Ok(found) => announce(&found)?,
        Err(LabError::CannotRun(reason)) => return Ok(Err(reason)),
        Err(error) => return Err(error).context("look at what this machine has"),
    }
    Ok(if is_root() { Ok(()) } else { ask_sudo() })
}

/// Comes back as root, after building as the user what the user can build.
pub(crate) fn become_root_after(build: impl FnOnce() -> Result<()>) -> Result<()> {
    if !is_root() {
        if let Err(error) = take_back() {
            eprintln!("warning: {error:#}");
        }
        build()?;
    }
    become_root()
}

/// The same for a verb that is nothing without hosts.
pub(crate) fn need(what: &str, build: impl FnOnce() -> Result<()>) -> Result<()> {
    match ask()? {
        Ok(()) => become_root_after(build),
        Err(reason) => bail!("{what} cannot run here: {reason}"),
    }
}
