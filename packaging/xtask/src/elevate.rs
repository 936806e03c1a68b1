//! Gets root for a command that needs it, by running the same command again with sudo. Everything that can be
//! built without root is built before that, so that the files belong to the user.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::unistd::{Gid, Uid};
use oml_tests::workspace::target_folder;

/// This variable is set for the same command under sudo, which must not announce the changes or build a second time.
const ANNOUNCED: &str = "OML_XTASK_ANNOUNCED";
/// The variables that the commands, cargo and rustup read. They are passed explicitly, because sudo drops them.
const PASSED_VARIABLES: [&str; 17] = [
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
const PASSED_PREFIX: &str = "OML_LAB_";
/// The folders in which Debian keeps root's programs. A user's PATH often lacks them.
const ROOT_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin";

pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

pub(crate) fn has_sudo() -> bool {
    Command::new("sudo").arg("--version").stdout(Stdio::null()).status().is_ok()
}

/// Checks that this user may run commands with sudo. The error is the reason why not.
pub(crate) fn check_sudo() -> Result<(), String> {
    // `--validate` asks for a password if any rule requires one, so a plain command is tried first.
    let succeeds = |arguments: &[&str]| {
        let mut sudo = Command::new("sudo");
        sudo.args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if succeeds(&["--non-interactive", "true"])
        || Command::new("sudo").arg("--validate").status().is_ok_and(|status| status.success())
    {
        return Ok(());
    }
    Err("it needs root, and sudo refuses this user".to_owned())
}

/// Replaces this process with the same command under sudo. It returns at once if this process runs as root, and
/// otherwise only if sudo could not be started.
pub(crate) fn become_root() -> Result<()> {
    if is_root() {
        return Ok(());
    }
    let error = as_root()?.args(env::args_os().skip(1)).exec();
    Err(error).context("this command needs root, but sudo could not be started")
}

/// Returns this program as root, without arguments: with sudo, unless this process runs as root.
pub(crate) fn as_root() -> Result<Command> {
    let program = env::current_exe().context("find this program's own file")?;
    if is_root() {
        return Ok(Command::new(program));
    }
    let mut sudo = Command::new("sudo");
    sudo.arg("env").args(sudo_environment(env::vars_os())).arg(program);
    Ok(sudo)
}

/// Whether another process of this program has started this one with sudo, after it built what is needed.
pub(crate) fn was_started_with_sudo() -> bool {
    env::var_os(ANNOUNCED).is_some()
}

/// Returns the environment of the command under sudo, as arguments of `env`.
fn sudo_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<OsString> {
    let assign = |name: &OsStr, value: &OsStr| {
        let mut word = name.to_owned();
        word.push("=");
        word.push(value);
        word
    };
    let mut words = vec![assign(ANNOUNCED.as_ref(), "1".as_ref())];
    for (name, mut value) in variables {
        if name == "PATH" {
            value.push(":");
            value.push(ROOT_PATH);
        } else if !name
            .to_str()
            .is_some_and(|n| PASSED_VARIABLES.contains(&n) || n.starts_with(PASSED_PREFIX))
        {
            continue;
        }
        words.push(assign(&name, &value));
    }
    words
}

/// Returns files to this user that an interrupted command left owned by root.
pub(crate) fn reclaim_files() -> Result<()> {
    chown_cargo_folders(
        Command::new("sudo").arg("chown"),
        Uid::current().as_raw(),
        Gid::current().as_raw(),
    )
}

/// Returns files that were created by root to the user who called sudo.
pub(crate) fn return_files() -> Result<()> {
    let id = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    match (id("SUDO_UID"), id("SUDO_GID")) {
        (Some(uid), Some(gid)) if is_root() => {
            chown_cargo_folders(&mut Command::new("chown"), uid, gid)
        }
        _ => Ok(()),
    }
}

/// Changes the owner of root's files in the folders that cargo fills, if the folder itself belongs to the user.
/// Other folders are not touched, because files there may belong to root on purpose.
fn chown_cargo_folders(chown: &mut Command, uid: u32, gid: u32) -> Result<()> {
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let folders = cargo_folders(target_folder()?, cargo_home);
    // `chown --recursive` does not follow a symbolic link to a folder, so links are resolved here.
    let folders = folders.filter_map(|folder| folder.canonicalize().ok());
    let owned = folders.filter(|folder| folder.metadata().is_ok_and(|found| found.uid() == uid));
    let owned: Vec<PathBuf> = owned.collect();
    if owned.is_empty() {
        return Ok(());
    }
    chown.args(["--recursive", "--no-dereference", "--from=0", &format!("{uid}:{gid}")]);
    let status = chown.args(owned).status().context("start chown")?;
    ensure!(status.success(), "chown failed: some files in cargo's folders still belong to root");
    Ok(())
}

/// Returns the target folder and the folders of cargo's downloads. Cargo's settings, logins and programs are left out.
fn cargo_folders(target: PathBuf, cargo_home: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    let downloads =
        cargo_home.into_iter().flat_map(|home| ["registry", "git"].map(|f| home.join(f)));
    [target].into_iter().chain(downloads)
}

#[cfg(test)]
mod tests;
