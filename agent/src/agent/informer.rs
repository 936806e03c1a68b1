//! An informer lists what one runtime has on the host: when the runtime nudges, when the
//! loop asks, and at intervals, because nudges may be lost.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oml_common::document::instance::InstanceDocument;
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use oml_daemon::env::Clock;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::host::Host;
use crate::runtime::{
    ContainerEngine, ContainerListing, LIST_LIMIT, RuntimeError, UnitListing, UnitManager,
};

/// The time within which several nudges count as one. A switch gives many of them between the
/// stop of the old version and the start of the new one: a listing then would keep both daemons
/// from their work, and nothing is decided before the step has ended.
const COALESCE: Duration = Duration::from_millis(200);
/// The interval of listings without a nudge, because nudges may be lost. With the time limit of a
/// listing it is less than a minute, within which a daemon that hangs is reported.
const RELIST: Duration = Duration::from_secs(40);
const _: () = assert!(RELIST.as_secs() + LIST_LIMIT.as_secs() < 60, "it takes a minute or more");
/// The interval at which a daemon is asked that does not answer, or not about everything.
const RETRY: Duration = Duration::from_secs(2);

/// A request of the loop for a listing.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    /// The number of the request; answers to earlier ones are out of date.
    pub(super) number: u64,
    pub(super) desired: Arc<Vec<InstanceDocument>>,
}

/// The last listing of a runtime.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot<L> {
    /// The number of the newest request that the runtime has answered or failed to answer.
    pub(super) number: u64,
    /// The last answer; none before the first.
    pub(super) listing: Option<Arc<L>>,
    /// The time at which the daemon was asked for that listing.
    pub(super) listed_at: Option<Timestamp>,
    /// The outage, if the daemon does not answer; the listing is then an old one.
    pub(super) unavailable: Option<Unavailable>,
}

/// One runtime as the loop sees it.
pub(super) struct RuntimeWatch<L> {
    pub(super) wanted: watch::Sender<Question>,
    pub(super) snapshots: watch::Receiver<Snapshot<L>>,
}

/// The outage of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unavailable {
    since: Timestamp,
    message: String,
}

impl Unavailable {
    /// Says what failed and since when, for people.
    pub(super) fn sentence(&self) -> String {
        let milliseconds = i64::try_from(self.since.0).unwrap_or(i64::MAX);
        let since = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
        format!("{}, since {}", self.message, since.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

/// A runtime that an informer lists.
#[async_trait]
pub(super) trait ListSource: Send + Sync + 'static {
    /// The result of a listing.
    type Listing: Default + Send + Sync + 'static;

    /// Lists what is ours, and what is in the way of `desired`.
    async fn list(&self, desired: &[InstanceDocument]) -> Result<Self::Listing, RuntimeError>;

    /// Returns true if the runtime did not tell the state of something that it has.
    fn is_partial(listing: &Self::Listing) -> bool;

    /// Returns a counter that grows when something on the runtime changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

#[async_trait]
impl ListSource for Arc<dyn ContainerEngine> {
    type Listing = ContainerListing;

    async fn list(&self, desired: &[InstanceDocument]) -> Result<ContainerListing, RuntimeError> {
        self.as_ref().list(desired).await
    }

    fn is_partial(listing: &ContainerListing) -> bool {
        !listing.unseen.is_empty()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.as_ref().changes()
    }
}

#[async_trait]
impl ListSource for Arc<dyn UnitManager> {
    type Listing = UnitListing;

    async fn list(&self, desired: &[InstanceDocument]) -> Result<UnitListing, RuntimeError> {
        self.as_ref().list(desired).await
    }

    fn is_partial(_listing: &UnitListing) -> bool {
        false
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.as_ref().changes()
    }
}

/// The task that lists one runtime.
pub(super) struct Informer<S: ListSource> {
    pub(super) source: S,
    pub(super) wanted: watch::Receiver<Question>,
    pub(super) snapshots: watch::Sender<Snapshot<S::Listing>>,
    pub(super) clock: Clock,
}

impl<S: ListSource> Informer<S> {
    /// Runs until the loop is dropped.
    pub(super) async fn run(mut self) {
        let mut changes = self.source.changes();
        loop {
            changes.mark_unchanged();
            self.ask().await;
            let pause = Instant::now() + if self.lacks_something() { RETRY } else { RELIST };
            // Each arm only waits for a mark or a time; dropping it loses nothing.
            tokio::select! {
                biased;
                asked = self.wanted.changed() => if asked.is_err() { return },
                () = settled(&mut changes) => {}
                () = sleep_until(pause) => {}
            }
        }
    }

    /// Returns true if the last listing failed, or lacks what holds up a component.
    fn lacks_something(&self) -> bool {
        let snapshot = self.snapshots.borrow();
        snapshot.unavailable.is_some() || snapshot.listing.as_deref().is_some_and(S::is_partial)
    }

    async fn ask(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        let now = self.clock.now();
        let answer = self.source.list(&wanted.desired).await;
        self.snapshots.send_modify(|snapshot| {
            snapshot.number = wanted.number;
            match answer {
                Ok(listing) => {
                    if let Some(outage) = snapshot.unavailable.take() {
                        info!(outage = outage.sentence(), "daemon answers again");
                    }
                    snapshot.listing = Some(Arc::new(listing));
                    snapshot.listed_at = Some(now);
                }
                Err(error) => {
                    let message = chain(&error);
                    if snapshot.unavailable.is_none() {
                        warn!(error = message, "cannot list the host");
                    }
                    let since = snapshot.unavailable.as_ref().map_or(now, |outage| outage.since);
                    snapshot.unavailable = Some(Unavailable { since, message });
                }
            }
        });
    }
}

/// Waits for a nudge and for those that follow it at once; for ever where the runtime gives none.
async fn settled(changes: &mut watch::Receiver<u64>) {
    match changes.changed().await {
        Ok(()) => sleep(COALESCE).await,
        Err(_closed) => pending().await,
    }
}

impl<L: Default + Send + Sync + 'static> RuntimeWatch<L> {
    /// Spawns the informer of a runtime.
    pub(super) fn spawn(host: &Host, source: impl ListSource<Listing = L>) -> Self {
        let (wanted, wanted_receiver) = watch::channel(Question::default());
        let (snapshots, snapshots_receiver) = watch::channel(Snapshot::default());
        let informer =
            Informer { source, wanted: wanted_receiver, snapshots, clock: host.clock.clone() };
        // Ends by itself when the loop is dropped, and `wanted` with it.
        tokio::spawn(informer.run());
        Self { wanted, snapshots: snapshots_receiver }
    }

    /// Returns the last listing, which is empty before the first.
    pub(super) fn listing(&self) -> Arc<L> {
        self.snapshots.borrow().listing.clone().unwrap_or_default()
    }

    /// Returns the outage if the daemon does not answer, for people.
    pub(super) fn outage(&self) -> Option<String> {
        Some(self.snapshots.borrow().unavailable.as_ref()?.sentence())
    }
}

#[cfg(test)]
mod tests;
