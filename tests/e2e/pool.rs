//! The fleets that tests share, each brought up when the first test needs it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use oml_lab::{LabError, preflight};
use oml_tests::fleet::Topology;
use oml_tests::{Build, Fleet, Packages};

/// What a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Three hosts with the whole stack of tenant acme.
    Acme,
    /// One host with two small components of tenant tiny.
    Tiny,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Acme => "acme",
            Kind::Tiny => "tiny",
        }
    }

    fn topology(self) -> Topology {
        match self {
            Kind::Acme => Topology::acme(),
            Kind::Tiny => Topology::tiny(),
        }
    }
}

/// Fleets in a row that may fail before no further one is tried.
const FAILED_MAX: u32 = 2;

/// At most one fleet of each kind.
#[derive(Default)]
pub(crate) struct Pool {
    packages: Mutex<Option<Packages>>,
    acme: Mutex<Slot>,
    tiny: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    /// Not there while a test has it: what a test that fails or panics leaves is for no other.
    fleet: Option<Fleet>,
    /// How many fleets in a row did not come up or settle, and what the last one said.
    failed: u32,
    why: String,
}

impl Pool {
    /// Runs a test on its fleet, which first gets the state that every test begins with. The fleet
    /// of a test that failed is taken down: the next one gets a fresh one.
    pub(crate) fn with(&self, kind: Kind, test: fn(&Fleet) -> Result<()>) -> Result<()> {
        let mut slot = self.slot(kind);
        let fleet = self.settled(kind, &mut slot)?;
        let outcome = test(&fleet);
        if outcome.is_ok() {
            slot.fleet = Some(fleet);
        } else if let Err(error) = fleet.down() {
            eprintln!("the fleet of a failed test could not be taken down: {error:#}");
        }
        outcome
    }

    /// The fleet in its first state. One that does not get there goes down with the error.
    fn settled(&self, kind: Kind, slot: &mut Slot) -> Result<Fleet> {
        // Those that wait need not all wait for the same failure again.
        ensure!(slot.failed < FAILED_MAX, "no fleet came up: {}", slot.why);
        let there = slot.fleet.take();
        let up = there.map_or_else(|| self.bring_up(kind).context("bring a fleet up"), Ok);
        let settled = up.and_then(|fleet| {
            fleet.apply_first_spec().context("bring the fleet into its first state")?;
            Ok(fleet)
        });
        match &settled {
            Ok(_) => slot.failed = 0,
            Err(error) => {
                slot.failed += 1;
                slot.why = format!("{error:#}");
            }
        }
        settled
    }

    fn slot(&self, kind: Kind) -> MutexGuard<'_, Slot> {
        let slot = match kind {
            Kind::Acme => &self.acme,
            Kind::Tiny => &self.tiny,
        };
        // A test that panicked took its fleet with it; the slot is as good as before.
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes every fleet down.
    pub(crate) fn down(&self) -> Result<()> {
        let fleets = [Kind::Acme, Kind::Tiny].map(|kind| self.slot(kind).fleet.take());
        fleets.into_iter().flatten().map(Fleet::down).fold(Ok(()), Result::and)
    }

    /// What hosts install, built when it is first asked for.
    pub(crate) fn packages(&self) -> Result<Packages> {
        let mut packages = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        match &*packages {
            Some(built) => Ok(built.clone()),
            None => Ok(packages.insert(Packages::build(Build::Lab)?).clone()),
        }
    }

    fn bring_up(&self, kind: Kind) -> Result<Fleet> {
        let fleet = Fleet::up_or_skip(&lab_name(kind.as_str()), self.packages()?, kind.topology())?;
        fleet.context("this machine could carry a lab a moment ago")
    }
}

/// This process's own, so that two runs never meet.
pub(crate) fn lab_name(what: &str) -> String {
    format!("e2e-{what}-{}", std::process::id())
}

/// Whether this machine can carry a lab; says why not.
pub(crate) fn can_run() -> bool {
    match preflight() {
        Ok(_) => true,
        Err(LabError::CannotRun(reason)) if std::env::var_os("OML_LAB_REQUIRED").is_none() => {
            eprintln!("skipped: {reason}");
            false
        }
        // The first test tells it, and fails.
        Err(_) => true,
    }
}

/// An assertion with a sentence.
pub(crate) fn check(holds: bool, what: impl Into<String>) -> Result<()> {
    ensure!(holds, what.into());
    Ok(())
}
