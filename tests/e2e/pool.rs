//! The fleets that tests share. Each is brought up when the first test needs it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use oml_lab::Debian;
use oml_tests::fleet::Topology;
use oml_tests::trial::lab_name;
use oml_tests::{Build, Fleet, Packages};

use crate::{Case, order};

/// The kind of fleet that a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tenant acme has the whole stack on three hosts.
    Acme,
    /// Tenant tiny has two small components on one host.
    Tiny,
    /// The same on hosts with Debian 13.
    Trixie,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Acme => "acme",
            Kind::Tiny => "tiny",
            Kind::Trixie => "trixie",
        }
    }

    fn topology(self) -> Topology {
        match self {
            Kind::Acme => Topology::acme(),
            Kind::Tiny => Topology::tiny(),
            Kind::Trixie => Topology::tiny().on(Debian::Trixie),
        }
    }

    /// The number of fleets, so that all kinds end at about the same time: most tests are of the
    /// small one, and they mostly wait.
    fn fleets(self) -> usize {
        match self {
            Kind::Trixie => 1,
            Kind::Acme => 2,
            Kind::Tiny => 3,
        }
    }
}

/// The number of fleets in a row that may fail to come up before no further one is tried.
const FAILURES_MAX: u32 = 2;

/// The fleets of each kind.
pub(crate) struct Pool {
    packages: Mutex<Option<Packages>>,
    acme: Slots,
    tiny: Slots,
    trixie: Slots,
}

impl Default for Pool {
    fn default() -> Self {
        let [acme, tiny, trixie] = [Kind::Acme, Kind::Tiny, Kind::Trixie].map(Slots::new);
        Self { packages: Mutex::default(), acme, tiny, trixie }
    }
}

/// The places for fleets of one kind. A test waits until one of them is free and no test waits that goes before it.
struct Slots {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    free: Vec<Slot>,
    /// The places in the order of tests of those that wait.
    waiting: Vec<usize>,
}

impl Queue {
    /// Whether a test with this place has to wait.
    fn is_closed(&self, place: usize) -> bool {
        self.free.is_empty() || self.waiting.iter().any(|other| *other < place)
    }

    fn leave(&mut self, place: usize) {
        if let Some(index) = self.waiting.iter().position(|other| *other == place) {
            self.waiting.swap_remove(index);
        }
    }
}

impl Slots {
    fn new(kind: Kind) -> Self {
        let free =
            (1..=kind.fleets()).map(|number| Slot::new(format!("{}{number}", kind.as_str())));
        let queue = Queue { free: free.collect(), waiting: Vec::new() };
        Self { queue: Mutex::new(queue), changed: Condvar::new() }
    }

    fn take(&self, name: &str) -> TakenSlot<'_> {
        let place = order::place(name);
        let mut queue = self.lock();
        queue.waiting.push(place);
        let queue = self.changed.wait_while(queue, |queue| queue.is_closed(place));
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.leave(place);
        let slot = queue.free.pop();
        // More than one place may be free, and this one may have been the first of those that wait.
        self.changed.notify_all();
        TakenSlot { slots: self, slot: slot.unwrap_or_default() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that a test uses; it is free again at the end of the test, also if that panics.
struct TakenSlot<'a> {
    slots: &'a Slots,
    slot: Slot,
}

impl Drop for TakenSlot<'_> {
    fn drop(&mut self) {
        self.slots.lock().free.push(std::mem::take(&mut self.slot));
        self.slots.changed.notify_all();
    }
}

#[derive(Default)]
struct Slot {
    /// The name of its labs.
    name: String,
    /// The fleet, if one is up and unused. A test takes it out, so that no other test gets the fleet of a test that failed
    /// or panicked.
    fleet: Option<Fleet>,
    /// How many fleets in a row did not come up or did not reach the first state.
    failures: u32,
    /// The error of the last such fleet.
    last_error: String,
}

impl Slot {
    fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }
}

impl Pool {
    /// Runs a test on its fleet after bringing the fleet into the state in which every test starts. The
    /// fleet of a failed test is taken down, and the next test gets a new one.
    /// It prints how long that took, without the wait for the fleet.
    pub(crate) fn run_on(&self, (kind, name, test): Case) -> Result<()> {
        let mut taken = self.slots(kind).take(name);
        let slot = &mut taken.slot;
        let began = Instant::now();
        let fleet = self.fleet_in_first_state(kind, slot)?;
        let until_ready = began.elapsed().as_secs();
        let outcome = test(&fleet);
        let seconds = began.elapsed().as_secs();
        eprintln!("{name}: {seconds} s, {until_ready} s of them for its first state");
        if outcome.is_ok() {
            slot.fleet = Some(fleet);
            return outcome;
        }
        eprintln!("{name} failed; the last lines of its hosts:\n{}", fleet.last_lines());
        if let Err(error) = fleet.down() {
            eprintln!("the fleet of a failed test could not be taken down: {error:#}");
        }
        outcome
    }

    /// Runs a test that has hosts of its own in the turn of a fleet of this kind, so that not too many hosts run at once.
    pub(crate) fn run_in_turn(
        &self,
        kind: Kind,
        name: &str,
        test: impl FnOnce(&Packages) -> Result<()>,
    ) -> Result<()> {
        let _turn = self.slots(kind).take(name);
        test(&self.packages()?)
    }

    /// Returns a fleet in the state in which every test starts. A fleet that does not reach it is taken down.
    fn fleet_in_first_state(&self, kind: Kind, slot: &mut Slot) -> Result<Fleet> {
        // Without this limit, every waiting test would run into the same failure again.
        ensure!(slot.failures < FAILURES_MAX, "no fleet came up: {}", slot.last_error);
        let existing = slot.fleet.take();
        let up = existing
            .map_or_else(|| self.bring_up(kind, &slot.name).context("bring a fleet up"), Ok);
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

    fn slots(&self, kind: Kind) -> &Slots {
        match kind {
            Kind::Acme => &self.acme,
            Kind::Tiny => &self.tiny,
            Kind::Trixie => &self.trixie,
        }
    }

    /// Takes down all fleets. The tests have ended, so every place is free.
    pub(crate) fn down(&self) -> Result<()> {
        let taken = [&self.acme, &self.tiny, &self.trixie]
            .map(|slots| std::mem::take(&mut slots.lock().free));
        let fleets = taken.into_iter().flatten().filter_map(|slot| slot.fleet);
        fleets.map(Fleet::down).fold(Ok(()), Result::and)
    }

    /// Returns the packages for the hosts. The first call builds them.
    pub(crate) fn packages(&self) -> Result<Packages> {
        let mut packages = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        match &*packages {
            Some(built) => Ok(built.clone()),
            None => Ok(packages.insert(Packages::build(Build::Lab)?).clone()),
        }
    }

    fn bring_up(&self, kind: Kind, name: &str) -> Result<Fleet> {
        let fleet = Fleet::up_or_skip(&lab_name(name), self.packages()?, kind.topology())?;
        fleet.context("this machine cannot run a lab any more")
    }
}
