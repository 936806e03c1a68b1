//! What the suites on real hosts share: whether they can run, names of labs, and checks.

use anyhow::{Result, ensure};
use libtest_mimic::Failed;
use oml_lab::{LabError, preflight};

/// Returns true if this machine can run a lab, and otherwise prints the reason. Where a lab is required, it
/// returns true, so that the first test fails with the reason.
#[must_use]
pub fn can_run() -> bool {
    match preflight(&[]) {
        Err(LabError::CannotRun(reason)) if std::env::var_os("OML_LAB_REQUIRED").is_none() => {
            eprintln!("skipped: {reason}");
            false
        }
        Ok(_) | Err(_) => true,
    }
}

/// Returns a lab name that contains the process id, so that two runs never use the same name.
#[must_use]
pub fn lab_name(what: &str) -> String {
    format!("e2e-{what}-{}", std::process::id())
}

/// Returns an error with this text unless the condition holds.
///
/// # Errors
/// The condition does not hold.
pub fn check(holds: bool, what: impl Into<String>) -> Result<()> {
    ensure!(holds, what.into());
    Ok(())
}

/// Turns the error of a test with its causes into what the test harness prints. It is printed at
/// once too, because the harness prints only at the end of a run, which somebody may cut short.
///
/// # Errors
/// The outcome is an error.
pub fn outcome(name: &str, outcome: Result<()>) -> Result<(), Failed> {
    outcome.map_err(|error| {
        eprintln!("{name} failed: {error:#}");
        Failed::from(format!("{error:#}"))
    })
}
