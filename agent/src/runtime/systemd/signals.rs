//! The signals of systemd. They end the wait for a job and wake the agent. A signal may be
//! lost, so every wait also polls.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{broadcast, watch};
use zbus::message::Type;
use zbus::{MatchRule, Message, MessageStream, OwnedObjectPath};

use super::bus::{self, ManagerProxy};
use crate::pause::RetryPause;

/// The number of job ends that are kept for a slow reader.
const QUEUE: usize = 256;
const SYSTEMD: &str = "org.freedesktop.systemd1";
const UNITS: &str = "/org/freedesktop/systemd1/unit";
/// The pause between two polls of a unit while its job runs.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The state that the listening task shares with waiting callers.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    ends: broadcast::Sender<OwnedObjectPath>,
    counter: watch::Sender<u64>,
    ours: Arc<Mutex<BTreeSet<String>>>,
    /// The units of which a job was done since they were listed last.
    done: Arc<Mutex<BTreeSet<String>>>,
}

impl Signals {
    pub(super) fn new() -> Self {
        let (ends, _) = broadcast::channel(QUEUE);
        let (counter, _) = watch::channel(0);
        Self { ends, counter, ours: Arc::default(), done: Arc::default() }
    }

    /// Ends of jobs from now on.
    pub(super) fn ends(&self) -> broadcast::Receiver<OwnedObjectPath> {
        self.ends.subscribe()
    }

    /// Counts up for every change of a unit of ours.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.counter.subscribe()
    }

    /// The objects whose changes count.
    pub(super) fn set_ours(&self, paths: BTreeSet<String>) {
        *self.ours.lock().unwrap_or_else(PoisonError::into_inner) = paths;
    }

    /// Listens for ever; after every break of the connection the agent lists again.
    pub(super) async fn listen(self) {
        let mut backoff = RetryPause::new();
        loop {
            if let Err(error) = self.follow(&mut backoff).await {
                tracing::debug!(%error, "cannot subscribe to the signals of systemd");
            }
            self.bump();
            backoff.pause().await;
        }
    }

    async fn follow(&self, backoff: &mut RetryPause) -> zbus::Result<()> {
        let connection = bus::connect().await?;
        let mut stream = futures_util::stream::select(
            MessageStream::for_match_rule(manager_signals()?, &connection, None).await?,
            MessageStream::for_match_rule(unit_changes()?, &connection, None).await?,
        );
        ManagerProxy::new(&connection).await?.subscribe().await?;
        // Whatever happened before the first signal: look.
        self.bump();
        backoff.reset();
        while let Some(message) = stream.next().await {
            self.take(&message?);
        }
        drop(connection);
        Ok(())
    }

    fn take(&self, message: &Message) {
        let header = message.header();
        let member = header.member().map(|member| member.as_str());
        match member {
            Some("JobRemoved") => self.end_of_job(message),
            Some("PropertiesChanged") => {
                let path = header.path().map(|path| path.as_str()).unwrap_or_default();
                if self.is_ours(path) {
                    self.bump();
                }
            }
            // Somebody re-read the unit files, or a unit came or went.
            Some("Reloading") => self.bump(),
            Some(_) | None => {}
        }
    }

    fn end_of_job(&self, message: &Message) {
        let body = message.body();
        let parsed: zbus::Result<(u32, OwnedObjectPath, &str, &str)> = body.deserialize();
        if let Ok((_, job, unit, result)) = parsed {
            if result == "done" {
                self.tell_done(unit);
            }
            self.tell_end(job);
        }
    }

    pub(super) fn tell_end(&self, job: OwnedObjectPath) {
        // Nobody waiting is fine.
        let _waiters = self.ends.send(job).unwrap_or(0);
    }

    /// Notes that a job of a unit was done. That of a stop may change nothing of the unit.
    pub(super) fn tell_done(&self, unit: &str) {
        // A host without our units has nothing to remember, and one with ours lists them soon.
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(unit.to_owned());
        self.bump();
    }

    /// Returns true if a job of the unit was done since the last call.
    pub(super) fn take_done(&self, unit: &str) -> bool {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).remove(unit)
    }

    fn is_ours(&self, path: &str) -> bool {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    pub(super) fn bump(&self) {
        self.counter.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Waits until the job has ended, or was missed, or `look` is due.
pub(super) async fn next_look(
    ends: &mut broadcast::Receiver<OwnedObjectPath>,
    job: &OwnedObjectPath,
) {
    let until_end = async {
        loop {
            match ends.recv().await {
                Ok(ended) if &ended == job => return,
                Ok(_) => {}
                // Some were missed, perhaps this one.
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    // Not in time is fine: the caller looks either way.
    tokio::time::timeout(LOOK_INTERVAL, until_end).await.unwrap_or(());
}

fn manager_signals() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(SYSTEMD)
        .interface("org.freedesktop.systemd1.Manager")
        .path("/org/freedesktop/systemd1")
        .build()
}

fn unit_changes() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(SYSTEMD)
        .interface("org.freedesktop.DBus.Properties")
        .member("PropertiesChanged")
        .path_namespace(UNITS)
        .build()
}

#[cfg(test)]
mod tests;
