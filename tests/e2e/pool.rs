//! The fleets that tests share, each brought up when the first test needs it.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
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
    pub(crate) fn word(self) -> &'static str {
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

/// At most one fleet of each kind.
#[derive(Default)]
pub(crate) struct Pool {
    packages: Mutex<Option<Packages>>,
    acme: Mutex<Slot>,
    tiny: Mutex<Slot>,
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Up(Box<Fleet>),
    /// The next tests need not wait for the same failure again.
    Broken(String),
}

impl Pool {
    /// Runs a test on its fleet, which first gets the state that every test begins with.
    pub(crate) fn with(&self, kind: Kind, test: fn(&Fleet) -> Result<()>) -> Result<()> {
        let slot = match kind {
            Kind::Acme => &self.acme,
            Kind::Tiny => &self.tiny,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Slot::Empty = *slot {
            *slot = match self.bring_up(kind) {
                Ok(fleet) => Slot::Up(Box::new(fleet)),
                Err(error) => Slot::Broken(format!("{error:#}")),
            };
        }
        match &*slot {
            Slot::Up(fleet) => {
                fleet.settle().context("bring the fleet into its first state")?;
                test(fleet)
            }
            Slot::Broken(why) => bail!("the fleet did not come up: {why}"),
            Slot::Empty => bail!("the fleet was taken down"),
        }
    }

    /// Takes every fleet down.
    pub(crate) fn down(&self) -> Result<()> {
        for slot in [&self.acme, &self.tiny] {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            if let Slot::Up(fleet) = std::mem::take(&mut *slot) {
                fleet.down()?;
            }
        }
        Ok(())
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
        let name = format!("e2e-{}", kind.word());
        let fleet = Fleet::up_or_skip(&name, self.packages()?, kind.topology())?;
        fleet.context("this machine could carry a lab a moment ago")
    }
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
