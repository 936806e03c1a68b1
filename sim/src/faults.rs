//! Faults on request: a daemon that does not answer, a call that fails once, and a call
//! that is held.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::watch;

use crate::host::Host;

/// One of the two daemons of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Daemon {
    /// The container engine.
    Engine,
    Systemd,
}

/// A call to a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Lists or inspects containers, or reads a unit.
    Read,
    /// Pulls an image.
    Pull,
    /// Creates a container.
    Create,
    /// Starts a container, or starts or restarts a unit.
    Start,
    /// Stops a container or a unit.
    Stop,
    /// Renames a container.
    Rename,
    /// Removes a container.
    Remove,
    /// Reads a container's log.
    Logs,
    /// Runs a command in a container.
    Exec,
    /// Has systemd read the unit files again.
    Reload,
    /// Enables or disables a unit.
    Enable,
}

/// A fault that a test requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The daemon does not answer.
    #[error("it does not answer")]
    Away,
    /// The daemon answers with an error.
    #[error("{detail}")]
    Refused {
        /// The daemon's message.
        detail: String,
        /// Trying again later may help.
        transient: bool,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    away: BTreeSet<Daemon>,
    queued: BTreeMap<(Daemon, Verb), VecDeque<Fault>>,
    gates: BTreeMap<(Daemon, Verb), watch::Sender<bool>>,
}

impl Faults {
    fn gate(&mut self, daemon: Daemon, verb: Verb) -> &watch::Sender<bool> {
        self.gates.entry((daemon, verb)).or_insert_with(|| watch::channel(false).0)
    }

    pub(crate) fn is_away(&self, daemon: Daemon) -> bool {
        self.away.contains(&daemon)
    }
}

impl Host {
    /// Makes the next call of that verb fail; several queue up.
    pub fn fail_once(&self, daemon: Daemon, verb: Verb, fault: Fault) {
        self.state().faults.queued.entry((daemon, verb)).or_default().push_back(fault);
    }

    /// Makes calls of that verb wait until [`Host::release`].
    pub fn hold(&self, daemon: Daemon, verb: Verb) {
        self.state().faults.gate(daemon, verb).send_replace(true);
    }

    /// Lets held calls go on.
    pub fn release(&self, daemon: Daemon, verb: Verb) {
        self.state().faults.gate(daemon, verb).send_replace(false);
    }

    /// Makes a daemon stop answering. Containers and processes keep running.
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
            // So that time goes on, and somebody sees it.
            return std::future::pending().await;
        }
        let mut gate = self.state().faults.gate(daemon, verb).subscribe();
        // The sender lives as long as the host, so this ends when the gate opens.
        let _opened = gate.wait_for(|held| !held).await.is_ok();
        let mut state = self.state();
        if state.faults.is_away(daemon) {
            return Err(Fault::Away);
        }
        let queued = state.faults.queued.get_mut(&(daemon, verb)).and_then(VecDeque::pop_front);
        queued.map_or(Ok(()), Err)
    }
}
