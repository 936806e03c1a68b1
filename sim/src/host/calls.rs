//! Calls to a host's daemons: all are counted, and each may be held or fail on request.

use tokio::sync::watch;
use tokio::time::Instant;

use super::HostModel;
use crate::{Daemon, Fault, Verb};

/// The limit of calls in one instant of tokio's clock. More come from a loop that never waits,
/// which would run for ever on a paused clock.
const CALLS_AT_ONCE_MAX: usize = 10_000;

/// A call to a daemon, whether it failed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub daemon: Daemon,
    pub verb: Verb,
}

impl HostModel {
    /// Returns every call that was made, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Returns the number of calls that were made.
    #[must_use]
    pub fn calls_made(&self) -> watch::Receiver<usize> {
        self.0.calls_made.subscribe()
    }

    /// Returns the call that exceeded the limit of calls in one instant, after which no call is
    /// answered. Its caller loops without waiting.
    #[must_use]
    pub fn stuck(&self) -> Option<Call> {
        let state = self.state();
        let is_stuck = state.moment.is_some_and(|(_, calls)| calls > CALLS_AT_ONCE_MAX);
        state.calls.last().copied().filter(|_| is_stuck)
    }

    /// Makes the next call of that verb fail; several queue up.
    pub fn fail_once(&self, daemon: Daemon, verb: Verb, fault: Fault) {
        self.state().faults.queued.entry((daemon, verb)).or_default().push_back(fault);
    }

    /// Makes calls of that verb wait until [`HostModel::release`].
    pub fn hold(&self, daemon: Daemon, verb: Verb) {
        self.state().faults.gate(daemon, verb).send_replace(true);
    }

    /// Lets held calls go on.
    pub fn release(&self, daemon: Daemon, verb: Verb) {
        self.state().faults.gate(daemon, verb).send_replace(false);
    }

    /// Makes a daemon stop answering; what runs goes on.
    pub fn take_away(&self, daemon: Daemon) {
        self.state().faults.away.insert(daemon);
        self.notify(daemon);
    }

    /// Makes a daemon answer again.
    pub fn bring_back(&self, daemon: Daemon) {
        self.state().faults.away.remove(&daemon);
        self.notify(daemon);
    }

    /// Waits while the call is held, and fails if it should.
    pub(crate) async fn enter(&self, daemon: Daemon, verb: Verb) -> Result<(), Fault> {
        if !self.record(daemon, verb) {
            // Pending, so that the clock of the test goes on and `stuck` is read.
            return std::future::pending().await;
        }
        let mut gate = self.state().faults.gate(daemon, verb).subscribe();
        // The sender lives as long as the host, so this ends when the gate opens.
        let _opened = gate.wait_for(|held| !held).await.is_ok();
        self.state().faults.next(daemon, verb)
    }

    /// Records a call, and returns false if it exceeds the limit.
    fn record(&self, daemon: Daemon, verb: Verb) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        state.calls.push(Call { daemon, verb });
        self.0.calls_made.send_replace(state.calls.len());
        let calls = match state.moment {
            Some((_, calls)) if calls > CALLS_AT_ONCE_MAX => return false,
            Some((moment, calls)) if moment == now => calls + 1,
            Some(_) | None => 1,
        };
        state.moment = Some((now, calls));
        calls <= CALLS_AT_ONCE_MAX
    }
}
