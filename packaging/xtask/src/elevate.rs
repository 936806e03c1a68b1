//! Root, where a verb needs it: the same command again through sudo, if this process is not root already.
//! What can be built is built before that, so that it stays the user's.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::unistd::{Gid, Uid};
use oml_tests::packages::target_folder;

use crate::announce::TOLD;

/// What the verbs, cargo and rustup read from the environment; sudo would drop it.
const KEPT: [&str; 17] = [
    "HOME",
    "CARGO",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_TERM_COLOR",
    "NO_COLOR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUST_BACKTRACE",
    "RUSTFLAGS",
    "TERM",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];
const KEPT_PREFIX: &str = "OML_LAB_";
/// Where Debian has the programs of root; a user's own PATH is often without them.
const ROOT_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin";

pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

pub(crate) fn has_sudo() -> bool {
    Command::new("sudo").arg("--version").stdout(Stdio::null()).status().is_ok()
}

/// Asks sudo whether it lets us; the answer is why not.
pub(crate) fn ask_sudo() -> Result<(), String> {
    // `--validate` wants a password as soon as one rule of several does.
    let lets_us = |arguments: &[&str]| {
        let mut sudo = Command::new("sudo");
        sudo.args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if lets_us(&["--non-interactive", "true"])
        || Command::new("sudo").arg("--validate").status().is_ok_and(|status| status.success())
    {
        return Ok(());
    }
    Err("it needs root, and sudo does not let this user".to_owned())
}

/// Returns at once for root; for anyone else it only returns when sudo could not be started.
pub(crate) fn become_root() -> Result<()> {
    if is_root() {
        return Ok(());
    }
    let program = env::current_exe().context("find this program's own file")?;
    let error = Command::new("sudo")
        .arg("env")
        .args(kept(env::vars_os()))
        .arg(program)
        .args(env::args_os().skip(1))
        .exec();
    Err(error).context("this needs root, and sudo could not be started")
}

/// The environment of the command under sudo, as arguments of `env`.
fn kept(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<OsString> {
    let assign = |name: &OsStr, value: &OsStr| {
        let mut word = name.to_owned();
        word.push("=");
        word.push(value);
        word
    };
    let mut words = vec![assign(TOLD.as_ref(), "1".as_ref())];
    for (name, mut value) in variables {
        if name == "PATH" {
            value.push(":");
            value.push(ROOT_PATH);
        } else if !name.to_str().is_some_and(|n| KEPT.contains(&n) || n.starts_with(KEPT_PREFIX)) {
            continue;
        }
        words.push(assign(&name, &value));
    }
    words
}

/// Takes back what a command that was interrupted as root has left.
pub(crate) fn take_back() -> Result<()> {
    give(Command::new("sudo").arg("chown"), Uid::current().as_raw(), Gid::current().as_raw())
}

/// Gives back what became root's in folders of the user who asked sudo.
pub(crate) fn hand_back() -> Result<()> {
    let id = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    match (id("SUDO_UID"), id("SUDO_GID")) {
        (Some(uid), Some(gid)) if is_root() => give(&mut Command::new("chown"), uid, gid),
        _ => Ok(()),
    }
}

/// What root owns in the folders that cargo fills, where the folder itself is the user's. Nothing
/// else of theirs is touched: root's files elsewhere may be root's on purpose.
fn give(chown: &mut Command, uid: u32, gid: u32) -> Result<()> {
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let folders = filled_by_cargo(target_folder()?, cargo_home);
    // `chown` goes into a folder, and not through a link to one.
    let folders = folders.filter_map(|folder| folder.canonicalize().ok());
    let theirs = folders.filter(|folder| folder.metadata().is_ok_and(|found| found.uid() == uid));
    let theirs: Vec<PathBuf> = theirs.collect();
    if theirs.is_empty() {
        return Ok(());
    }
    chown.args(["--recursive", "--no-dereference", "--from=0", &format!("{uid}:{gid}")]);
    let status = chown.args(theirs).status().context("start chown")?;
    ensure!(status.success(), "files of root are left in the folders of cargo");
    Ok(())
}

/// Of cargo's own folder only what it downloads: settings, logins and programs are the user's affair.
fn filled_by_cargo(target: PathBuf, cargo_home: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    let downloads =
        cargo_home.into_iter().flat_map(|home| ["registry", "git"].map(|f| home.join(f)));
    [target].into_iter().chain(downloads)
}

#[cfg(test)]
mod tests;
