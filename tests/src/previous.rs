//! The packages of the previous release, with which the tests of version skew mix the packages of this
//! checkout. They are built once from the history of the repository and kept in cargo's target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::packages::{Build, Packages};
use crate::workspace::{cargo, run, target_folder, workspace_root};

/// The commit of the previous release.
const COMMIT: &str = include_str!("../skew/previous");
const BUILD: Build = Build::Lab;

/// Returns the packages of the previous release and builds them if they are missing.
///
/// # Errors
/// The history of the repository does not contain the release, or cargo failed.
pub fn packages() -> Result<Packages> {
    let folder = folder()?;
    if !folder.exists() {
        eprintln!("building the previous release into {}", folder.display());
        build(&folder).with_context(|| format!("build the previous release, {}", commit()))?;
    }
    Ok(Packages {
        agent: folder.join("omlagent.deb"),
        controller: folder.join("omlcontroller.deb"),
        omlctl: folder.join("omlctl"),
    })
}

fn commit() -> &'static str {
    COMMIT.trim()
}

/// The folder of the finished packages. It exists only if all of them are in it.
fn folder() -> Result<PathBuf> {
    Ok(releases()?.join(commit()))
}

fn releases() -> Result<PathBuf> {
    Ok(target_folder()?.join("previous"))
}

fn build(folder: &Path) -> Result<()> {
    // Neither the releases before it nor what an interrupted build left are of use any more.
    let releases = releases()?;
    remove(&releases)?;
    let (source, target) = (releases.join("source"), releases.join("target"));
    extract(&source)?;
    reuse_dependencies(&source, &target)?;
    let unfinished = releases.join("unfinished");
    let built = Packages::build_in(&source, &target, &unfinished, BUILD)?;
    fs::copy(&built.omlctl, unfinished.join("omlctl")).context("copy omlctl")?;
    remove(&source)?;
    remove(&target)?;
    fs::rename(&unfinished, folder).with_context(|| format!("rename to {}", folder.display()))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}

/// Copies what this checkout has built, without its own crates, so that only the crates of the previous
/// release and the dependencies that have changed are built.
fn reuse_dependencies(source: &Path, target: &Path) -> Result<()> {
    let built = target_folder()?.join(BUILD.profile());
    if !built.exists() {
        return Ok(());
    }
    fs::create_dir_all(target).with_context(|| format!("make {}", target.display()))?;
    run(Command::new("cp").arg("--archive").arg(built).arg(target), "copy the dependencies")?;
    let mut clean = cargo()?;
    clean.current_dir(source).env("CARGO_TARGET_DIR", target);
    clean.args(["clean", "--quiet", "--locked", "--workspace", "--profile", BUILD.profile()]);
    run(&mut clean, "remove the copies of this checkout's crates")
}

/// Extracts the sources of the previous release.
fn extract(source: &Path) -> Result<()> {
    let root = workspace_root()?;
    let exists = Command::new("git")
        .current_dir(&root)
        .args(["cat-file", "-e", &format!("{}^{{commit}}", commit())])
        .stderr(Stdio::null())
        .status()
        .context("start git")?;
    ensure!(
        exists.success(),
        "the commit is not in the history of {}; if it is a shallow clone, run: git fetch --unshallow",
        root.display()
    );
    fs::create_dir_all(source).with_context(|| format!("make {}", source.display()))?;
    let archive = source.with_extension("tar");
    let mut git = Command::new("git");
    git.current_dir(&root).args(["archive", "--output"]).arg(&archive).arg(commit());
    run(&mut git, "read the sources")?;
    run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(source), "extract the sources")
}
