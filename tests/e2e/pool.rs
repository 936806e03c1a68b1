//! The fleets that tests share. Each is brought up when the first test needs it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use oml_tests::fleet::Topology;
use oml_tests::trial::lab_name;
use oml_tests::{Build, Fleet, Packages};

/// The kind of fleet that a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tenant acme has the whole stack on three hosts.
    Acme,
    /// Tenant tiny has two small components on one host.
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

/// The number of fleets in a row that may fail to come up before no further one is tried.
const FAILURES_MAX: u32 = 2;

/// The pool has at most one fleet of each kind.
#[derive(Default)]
pub(crate) struct Pool {
    packages: Mutex<Option<Packages>>,
    acme: Mutex<Slot>,
    tiny: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    /// The fleet, if one is up and unused. A test takes it out, so that no other test gets the fleet of a test that failed
    /// or panicked.
    fleet: Option<Fleet>,
    /// How many fleets in a row did not come up or did not reach the first state.
    failures: u32,
    /// The error of the last such fleet.
    last_error: String,
}

impl Pool {
    /// Runs a test on its fleet after bringing the fleet into the state in which every test starts. The
    /// fleet of a failed test is taken down, and the next test gets a new one.
    pub(crate) fn run_on(&self, kind: Kind, test: fn(&Fleet) -> Result<()>) -> Result<()> {
        let mut slot = self.slot(kind);
        let fleet = self.fleet_in_first_state(kind, &mut slot)?;
        let outcome = test(&fleet);
        if outcome.is_ok() {
            slot.fleet = Some(fleet);
        } else if let Err(error) = fleet.down() {
            eprintln!("the fleet of a failed test could not be taken down: {error:#}");
        }
        outcome
    }

    /// Returns a fleet in the state in which every test starts. A fleet that does not reach it is taken down.
    fn fleet_in_first_state(&self, kind: Kind, slot: &mut Slot) -> Result<Fleet> {
        // Without this limit, every waiting test would run into the same failure again.
        ensure!(slot.failures < FAILURES_MAX, "no fleet came up: {}", slot.last_error);
        let existing = slot.fleet.take();
        let up = existing.map_or_else(|| self.bring_up(kind).context("bring a fleet up"), Ok);
        let settled = up.and_then(|fleet| {
            fleet.apply_first_spec().context("bring the fleet into its first state")?;
            Ok(fleet)
        });
        match &settled {
            Ok(_) => slot.failures = 0,
            Err(error) => {
                slot.failures += 1;
                slot.last_error = format!("{error:#}");
            }
        }
        settled
    }

    fn slot(&self, kind: Kind) -> MutexGuard<'_, Slot> {
        let slot = match kind {
            Kind::Acme => &self.acme,
            Kind::Tiny => &self.tiny,
        };
        // A test that panicked had taken its fleet out of the slot, so the slot is still valid.
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down all fleets.
    pub(crate) fn down(&self) -> Result<()> {
        let fleets = [Kind::Acme, Kind::Tiny].map(|kind| self.slot(kind).fleet.take());
        fleets.into_iter().flatten().map(Fleet::down).fold(Ok(()), Result::and)
    }

    /// Returns the packages for the hosts. The first call builds them.
    pub(crate) fn packages(&self) -> Result<Packages> {
        let mut packages = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        match &*packages {
            Some(built) => Ok(built.clone()),
            None => Ok(packages.insert(Packages::build(Build::Lab)?).clone()),
        }
    }

    fn bring_up(&self, kind: Kind) -> Result<Fleet> {
        let fleet = Fleet::up_or_skip(&lab_name(kind.as_str()), self.packages()?, kind.topology())?;
        fleet.context("this machine cannot run a lab any more")
    }
}
