//! Faults on request: a daemon that does not answer, a call that fails once, and a call
//! that is held.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::watch;

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
    /// Reads the log of a container or of a unit.
    Logs,
    /// Runs a command in a container.
    Exec,
    /// Sends a signal to a container.
    Signal,
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
        /// Another attempt may succeed later.
        transient: bool,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) away: BTreeSet<Daemon>,
    pub(crate) queued: BTreeMap<(Daemon, Verb), VecDeque<Fault>>,
    gates: BTreeMap<(Daemon, Verb), watch::Sender<bool>>,
    /// The units of which every start that is asked for waits.
    pub(crate) queues: BTreeSet<String>,
    /// The units of which every stop that is asked for waits.
    pub(crate) held_stops: BTreeSet<String>,
}

impl Faults {
    pub(crate) fn gate(&mut self, daemon: Daemon, verb: Verb) -> &watch::Sender<bool> {
        self.gates.entry((daemon, verb)).or_insert_with(|| watch::channel(false).0)
    }

    /// Takes the fault of the next call of that verb.
    pub(crate) fn next(&mut self, daemon: Daemon, verb: Verb) -> Result<(), Fault> {
        if self.is_away(daemon) {
            return Err(Fault::Away);
        }
        let queued = self.queued.get_mut(&(daemon, verb)).and_then(VecDeque::pop_front);
        queued.map_or(Ok(()), Err)
    }

    pub(crate) fn is_away(&self, daemon: Daemon) -> bool {
        self.away.contains(&daemon)
    }
}
