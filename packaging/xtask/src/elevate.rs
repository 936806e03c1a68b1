//! Root, where a verb needs it: the same command again through sudo, if this process is not root already.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::Uid;

/// What the verbs read from the environment.
const KEPT: &str = "PATH,CARGO_HOME,RUSTUP_HOME,CARGO_TARGET_DIR,OML_LAB_MIRROR,OML_LAB_REQUIRED,http_proxy,https_proxy";

/// Returns at once for root; for anyone else it only returns when sudo could not be started.
pub(crate) fn become_root() -> Result<()> {
    if Uid::effective().is_root() {
        return Ok(());
    }
    eprintln!("this needs root (systemd-nspawn, mounts, a network bridge): asking sudo");
    let program = env::current_exe().context("find this program's own file")?;
    let error = Command::new("sudo")
        .arg(format!("--preserve-env={KEPT}"))
        .arg("--")
        .arg(program)
        .args(env::args_os().skip(1))
        .exec();
    Err(error).context("start sudo; run this as root instead")
}
