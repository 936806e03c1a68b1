//! Tests of version skew: the packages of this checkout work with those of the previous release, whose
//! commit `previous` names, and an upgrade of one program restarts no component.

mod agents;
mod controller;
mod steps;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use oml_tests::{Build, Packages, previous, trial};

/// The packages of both releases.
#[derive(Debug, Clone)]
pub(crate) struct Releases {
    pub(crate) previous: Packages,
    pub(crate) current: Packages,
}

type Case = (&'static str, fn(&Releases) -> Result<()>);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let releases = Arc::new(Mutex::new(None));
    let cases: Vec<Case> = [agents::CASES, controller::CASES].concat();
    let mut trials: Vec<Trial> =
        cases.into_iter().map(|case| on_own_hosts(&releases, case)).collect();
    if !trial::can_run() && !arguments.list {
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    arguments.test_threads = Some(trials.len());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn on_own_hosts(releases: &Arc<Mutex<Option<Releases>>>, (name, test): Case) -> Trial {
    let releases = Arc::clone(releases);
    Trial::test(name, move || {
        trial::outcome(name, built(&releases).and_then(|releases| test(&releases)))
    })
}

/// Returns the packages of both releases. The first call builds them.
fn built(releases: &Mutex<Option<Releases>>) -> Result<Releases> {
    let mut releases = releases.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(built) = &*releases {
        return Ok(built.clone());
    }
    // The second build reuses the dependencies of the first.
    let current = Packages::build(Build::Lab)?;
    let previous = previous::packages()?;
    Ok(releases.insert(Releases { previous, current }).clone())
}
