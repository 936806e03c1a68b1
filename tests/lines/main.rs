//! Every line of OMniLeads on real hosts, from nothing to removal, with images that obey the rules of the real ones:
//! `cargo xtask lines`. A run of all tests has only the first case, because the others take long.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod calls;
mod life;
mod promises;
mod rotation;
mod site;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use oml_tests::lines::line::{LINES, Line, Size};
use oml_tests::wanted::Wanted;
use oml_tests::{Build, Packages, trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let packages = Arc::new(Mutex::new(None));
    let wanted = Wanted::from_env();
    let all = LINES.iter().flat_map(|line| Size::ALL.map(|size| (line, size)));
    let cases = all.filter(|(line, size)| wanted.includes(line.name, size.hosts()));
    let mut trials: Vec<Trial> =
        cases.map(|(line, size)| on_own_hosts(&packages, line, size)).collect();
    if !trial::can_run() && !arguments.list {
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    // The hosts of one site fill a machine.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn on_own_hosts(packages: &Arc<Mutex<Option<Packages>>>, line: &'static Line, size: Size) -> Trial {
    let name = format!(
        "omnileads_{}_is_installed_upgraded_rotated_and_rolled_back_on_{}",
        line.name.replace('.', "_"),
        size.words()
    );
    let packages = Arc::clone(packages);
    Trial::test(name.clone(), move || {
        trial::outcome(&name, built(&packages).and_then(|built| life::run(built, line, size)))
    })
}

/// Returns the packages. The first call builds them.
fn built(packages: &Mutex<Option<Packages>>) -> Result<Packages> {
    let mut packages = packages.lock().unwrap_or_else(PoisonError::into_inner);
    match &*packages {
        Some(built) => Ok(built.clone()),
        None => Ok(packages.insert(Packages::build(Build::Lab)?).clone()),
    }
}
