//! The environment of a host in a test.

use std::sync::{Arc, Mutex, PoisonError};

use oml_common::time::Timestamp;
use tokio::time::Instant;

use super::{Clock, Env, Listen, Random};

/// The wall time at which every simulated world begins: 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp(1_767_225_600_000);

/// A host of a test. Its clocks follow tokio's time, which tests can pause and advance,
/// and its randomness follows from a seed. Clones are the same host.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The beginning of the world, which all its hosts share.
    began: Instant,
    random: Random,
    /// The seed, which names the host in the ids of its boots.
    seed: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The time by which the host's wall clock is ahead of the world's.
    ahead_ms: i64,
    boots: u64,
    booted: Instant,
}

impl Simulated {
    /// Makes the first host of a world that begins now.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::begun(Instant::now(), seed)
    }

    /// Makes another host of the same world, with its own clock and randomness.
    #[must_use]
    pub fn another(&self, seed: u64) -> Self {
        Self::begun(self.began, seed)
    }

    fn begun(began: Instant, seed: u64) -> Self {
        let state = State { ahead_ms: 0, boots: 1, booted: Instant::now() };
        Self { began, random: Random::seeded(seed), seed, state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the environment of a program that starts on this host now. It belongs to
    /// the current boot.
    #[must_use]
    pub fn env(&self) -> Env {
        Env::new(self.clock(), self.random.clone(), Listen::given([]))
    }

    /// Returns the clock of a program that starts on this host now.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let (boot, booted) = self.with_state(|state| (state.boots, state.booted));
        let host = self.clone();
        let up_ms = move || milliseconds(booted.elapsed());
        Clock::of(&format!("{:x}-{boot}", self.seed), move || host.now(), up_ms)
    }

    /// Returns the host's wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let ahead_ms = self.with_state(|state| state.ahead_ms);
        BEGIN.plus_ms(milliseconds(self.began.elapsed())).shifted_ms(ahead_ms)
    }

    /// Sets the host's wall clock forward or back.
    pub fn set_clock(&self, by_ms: i64) {
        self.with_state(|state| state.ahead_ms = state.ahead_ms.saturating_add(by_ms));
    }

    /// Reboots the host: programs that start from now on see another boot.
    pub fn reboot(&self) {
        self.with_state(|state| {
            state.boots += 1;
            state.booted = Instant::now();
        });
    }

    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn milliseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
