//! Decides whether a command can use real hosts: it checks the machine, announces the changes and gets root.

use anyhow::{Context, Result, bail};
use oml_lab::{Debian, LabError, check_without_root, preflight};
use oml_tests::release;
use oml_tests::tools::{CARGO_DEB, Tool};

use crate::announce::announce;
use crate::beside::Preparation;
use crate::elevate::{
    become_root, check_sudo, has_sudo, is_root, reclaim_files, was_started_with_sudo,
};

/// What a command needs besides root.
#[derive(Debug)]
pub(crate) struct Needs {
    /// The releases of Debian that its hosts run.
    pub(crate) releases: Vec<Debian>,
    /// The tools that it builds its packages with.
    pub(crate) tools: Vec<Tool>,
}

impl Needs {
    /// Returns what a command needs that installs Debian packages on the usual hosts.
    pub(crate) fn usual() -> Result<Self> {
        Ok(Self { releases: vec![release::of_hosts()?], tools: vec![CARGO_DEB] })
    }
}

/// Announces the changes to this machine and checks that root is available. The inner error is the reason why real
/// hosts cannot be used.
pub(crate) fn check_and_announce(needs: &Needs) -> Result<Result<(), String>> {
    if !is_root() && !has_sudo() {
        return Ok(Err("it needs root, and sudo is not installed".to_owned()));
    }
    let releases = &needs.releases;
    match if is_root() { preflight(releases) } else { check_without_root(releases) } {
        Ok(found) => announce(&found, &needs.tools)?,
        Err(LabError::CannotRun(reason)) => return Ok(Err(reason)),
        Err(error) => return Err(error).context("check this machine"),
    }
    Ok(if is_root() { Ok(()) } else { check_sudo() })
}

/// Builds, and prepares hosts with these releases beside that, and then runs the same command again as root. It returns
/// if this process is root.
pub(crate) fn become_root_after(
    releases: &[Debian],
    build: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if was_started_with_sudo() {
        return Ok(());
    }
    if !is_root()
        && let Err(error) = reclaim_files()
    {
        eprintln!("warning: {error:#}");
    }
    let preparation = Preparation::start(releases)?;
    let built = build();
    // The tests prepare again what is missing, and say whether they need it.
    if let Err(error) = preparation.finish(&why_waiting(&built)) {
        eprintln!("warning: the hosts could not be prepared: {error:#}");
    }
    built?;
    become_root()
}

/// Says why the hosts are waited for. A build that failed is reported at once, because the wait may take minutes.
fn why_waiting(built: &Result<()>) -> String {
    match built {
        Ok(()) => "waiting until the hosts are prepared".to_owned(),
        Err(error) => {
            format!("error: {error:#}; waiting for the hosts, so that nothing is left half-made")
        }
    }
}

/// Gets real hosts for a command that cannot do without them, or returns an error with the reason.
pub(crate) fn require(what: &str, build: impl FnOnce() -> Result<()>) -> Result<()> {
    let needs = Needs::usual()?;
    match check_and_announce(&needs)? {
        Ok(()) => become_root_after(&needs.releases, build),
        Err(reason) => bail!("{what} cannot run here: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_build_that_failed_is_reported_before_the_hosts_are_waited_for() {
        assert_eq!(why_waiting(&Ok(())), "waiting until the hosts are prepared");
        assert_eq!(
            why_waiting(&Err(anyhow!("no space").context("build the tests"))),
            "error: build the tests: no space; waiting for the hosts, so that nothing is left half-made"
        );
    }
}
