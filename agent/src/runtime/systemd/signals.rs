//! The signals of systemd. They end the wait for a job and wake the agent. A signal may be
//! lost, so every wait also polls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use oml_common::decide::unit_end::{JobResult, SeenRest, SeenUnit, SkipCause};
use tokio::sync::{broadcast, watch};
use zbus::{Message, MessageStream, OwnedObjectPath};

use super::bus::{self, ManagerProxy};
use super::calls::{Loaded, ServiceProperties, UnitProperties};
use super::ends::OwnEnd;
use super::transient;
use crate::pause::RetryPause;

mod rules;

use rules::is_new_systemd;

/// The number of job ends that are kept for a slow reader.
const QUEUE: usize = 256;
/// The pause between two polls of a unit while its job runs.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobEnd {
    pub(super) number: u32,
    pub(super) job: OwnedObjectPath,
    pub(super) result: JobResult,
}

/// The state that the listening task shares with waiting callers.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    ends: broadcast::Sender<JobEnd>,
    counter: watch::Sender<u64>,
    /// Counts the changes of the units of runs, which wake only those who follow a run.
    runs: watch::Sender<u64>,
    /// Our units, by their objects.
    ours: Arc<Mutex<BTreeMap<String, OurUnit>>>,
}

/// A unit of ours, and what was seen of its jobs.
#[derive(Debug, Default)]
struct OurUnit {
    /// As our documents name it, which may be an alias.
    name: String,
    /// As systemd names it when a job of it ends.
    own_name: String,
    seen: SeenUnit,
    /// What the last signal said of its service. That of the unit follows it.
    service: ServiceProperties,
    /// Its ends by itself that were not taken yet.
    ends: Vec<OwnEnd>,
}

/// The ends that are kept of a unit.
const ENDS_MAX: usize = 60;

impl Signals {
    pub(super) fn new() -> Self {
        let (ends, _) = broadcast::channel(QUEUE);
        let (counter, _) = watch::channel(0);
        let (runs, _) = watch::channel(0);
        Self { ends, counter, runs, ours: Arc::default() }
    }

    /// Ends of jobs from now on.
    pub(super) fn ends(&self) -> broadcast::Receiver<JobEnd> {
        self.ends.subscribe()
    }

    /// Counts up for every change of a unit of ours.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.counter.subscribe()
    }

    /// Counts up for every change of a unit of a run.
    pub(super) fn run_changes(&self) -> watch::Receiver<u64> {
        self.runs.subscribe()
    }

    /// Notes what a look found of a unit of ours. From here on its changes count.
    pub(super) fn note_loaded(&self, loaded: &Loaded, name: &str) {
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        let unit = ours.entry(loaded.path.clone()).or_default();
        if unit.name != name {
            let (name, own_name) = (name.to_owned(), loaded.own_name(name).to_owned());
            *unit = OurUnit { name, own_name, ..OurUnit::default() };
        }
        if loaded.is_up() {
            unit.seen.was_found_running();
        }
    }

    /// Forgets the units that are not ours any more: those of other objects.
    pub(super) fn keep_ours(&self, objects: &BTreeSet<String>) {
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.retain(|object, _| objects.contains(object));
    }

    /// Listens for ever; after every break of the connection the agent lists again.
    pub(super) async fn listen(self) {
        let mut backoff = RetryPause::new();
        loop {
            if let Err(error) = self.follow(&mut backoff).await {
                tracing::debug!(%error, "cannot subscribe to the signals of systemd");
            }
            self.bump_all();
            backoff.pause().await;
        }
    }

    async fn follow(&self, backoff: &mut RetryPause) -> zbus::Result<()> {
        let connection = bus::connect().await?;
        let mut streams = Vec::new();
        for rule in rules::all()? {
            streams.push(MessageStream::for_match_rule(rule, &connection, None).await?);
        }
        let mut stream = futures_util::stream::select_all(streams);
        let manager = ManagerProxy::new(&connection).await?;
        self.begin(&manager).await?;
        backoff.reset();
        while let Some(message) = stream.next().await {
            let message = message?;
            if is_new_systemd(&message) {
                self.begin(&manager).await?;
            } else {
                self.take(&message);
            }
        }
        drop(connection);
        Ok(())
    }

    /// Subscribes to the signals of the systemd that is on the bus now.
    async fn begin(&self, manager: &ManagerProxy<'_>) -> zbus::Result<()> {
        match manager.subscribe().await {
            // One that executed itself again may know its subscribers.
            Err(error) if bus::error_name(&error) == Some("AlreadySubscribed") => {}
            subscribed => subscribed?,
        }
        self.begin_again();
        Ok(())
    }

    /// Notes that signals may be missing, and has everything looked at.
    fn begin_again(&self) {
        for unit in self.ours.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            unit.seen.was_lost();
        }
        // Changes before the first signal are found by a look.
        self.bump_all();
    }

    fn take(&self, message: &Message) {
        let header = message.header();
        let member = header.member().map(|member| member.as_str());
        match member {
            Some("JobRemoved") => self.end_of_job(message),
            Some("PropertiesChanged") => {
                match header.path().map(|path| path.as_str()).unwrap_or_default() {
                    run if run.starts_with(transient::OBJECTS) => count_up(&self.runs),
                    path => self.change(path, message),
                }
            }
            // Somebody re-read the unit files, or a unit came or went.
            Some("Reloading") => self.bump(),
            Some(_) | None => {}
        }
    }

    fn change(&self, path: &str, message: &Message) {
        let body = message.body();
        self.change_ours(
            |object, _| object == path,
            |unit| {
                let of_service: zbus::Result<(&str, ServiceProperties, Vec<&str>)> =
                    body.deserialize();
                if let Ok((bus::SERVICE, service, _)) = of_service {
                    unit.service = service;
                    return;
                }
                let of_unit: zbus::Result<(&str, UnitProperties, Vec<&str>)> = body.deserialize();
                if let Ok((bus::UNIT, shown, _)) = of_unit {
                    unit.follow(shown);
                }
            },
        );
    }

    fn end_of_job(&self, message: &Message) {
        let body = message.body();
        let parsed: zbus::Result<(u32, OwnedObjectPath, &str, &str)> = body.deserialize();
        if let Ok((number, job, unit, word)) = parsed {
            let end = JobEnd { number, job, result: JobResult::of(word) };
            self.note_end(unit, end);
        }
    }

    /// Notes the end of a job of a unit, and wakes those who wait for it. That of a stop that is done
    /// may change nothing of the unit.
    pub(super) fn note_end(&self, unit: &str, end: JobEnd) {
        let is_meant = |_: &str, own: &str| own == unit;
        match end.result {
            JobResult::Done => {
                self.change_ours(is_meant, |unit| unit.seen.job_is_done(end.number));
            }
            JobResult::Assertion => self.note_skip(is_meant, &end, SkipCause::Assertion),
            JobResult::Dependency => self.note_skip(is_meant, &end, SkipCause::Dependency),
            // One that waited is gone, and nothing else of the unit may have changed.
            JobResult::Other => self.change_ours(is_meant, |_| {}),
        }
        // It is no error if no task waits.
        let _waiters = self.ends.send(end).unwrap_or(0);
    }

    fn note_skip(&self, is_meant: impl Fn(&str, &str) -> bool, end: &JobEnd, cause: SkipCause) {
        self.change_ours(is_meant, |unit| unit.seen.start_was_skipped(end.number, cause));
    }

    /// Notes that a unit of ours has a job while it does not run.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn note_shown_job(&self, unit: &str, job: u32, since: u64, is_unmet: bool) {
        self.change_ours(|_, own| own == unit, |unit| unit.rests(since, Some(job), is_unmet));
    }

    /// Notes that a unit of ours has become active.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn note_started(&self, unit: &str) {
        self.change_ours(|_, own| own == unit, |unit| unit.seen.has_started());
    }

    /// Changes what is known of a unit of ours, if it is one, and wakes the agent.
    fn change_ours(
        &self,
        is_meant: impl Fn(&str, &str) -> bool,
        change: impl FnOnce(&mut OurUnit),
    ) {
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        let found = ours.iter_mut().find(|(object, unit)| is_meant(object, &unit.own_name));
        let is_ours = found.map(|(_, unit)| change(unit)).is_some();
        drop(ours);
        if is_ours {
            self.bump();
        }
    }

    /// Returns since when a unit did not run, if it showed a job after that which was done.
    pub(super) fn done_at_rest_since(&self, unit: &str) -> Option<u64> {
        self.with_ours(unit, |ours| ours.seen.done_at_rest_since()).flatten()
    }

    /// Notes that a job of a unit was a start which systemd skipped.
    pub(super) fn note_skipped(&self, unit: &str, job: u32, cause: SkipCause) {
        self.with_ours(unit, |ours| ours.seen.start_was_skipped(job, cause));
    }

    /// Returns why systemd skipped the start of a job, if it was seen to.
    pub(super) fn skip_of(&self, unit: &str, job: u32) -> Option<SkipCause> {
        let skipped = self.with_ours(unit, |ours| ours.seen.skipped()).flatten();
        skipped.filter(|(skipped, _)| *skipped == job).map(|(_, cause)| cause)
    }

    /// Returns since when a unit did not run, if its last job after that was a start which systemd
    /// skipped, and why it did.
    pub(super) fn skipped_at_rest(&self, unit: &str) -> Option<(u64, SkipCause)> {
        self.with_ours(unit, |ours| ours.seen.skipped_at_rest()).flatten()
    }

    /// Returns how a unit was seen to come to rest last.
    pub(super) fn seen_rest(&self, unit: &str) -> Option<SeenRest> {
        self.with_ours(unit, |ours| ours.seen.rest()).flatten()
    }

    /// Returns the ends of a unit by itself that were seen since the last call.
    pub(super) fn take_ends(&self, unit: &str) -> Vec<OwnEnd> {
        self.with_ours(unit, |ours| std::mem::take(&mut ours.ends)).unwrap_or_default()
    }

    /// Forgets the jobs of a unit.
    pub(super) fn forget_jobs(&self, unit: &str) {
        self.with_ours(unit, |ours| ours.seen.forget_jobs());
    }

    /// Does something with what is known of a unit, if it is ours. It wakes nobody.
    fn with_ours<T>(&self, unit: &str, act: impl FnOnce(&mut OurUnit) -> T) -> Option<T> {
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.values_mut().find(|ours| ours.name == unit).map(act)
    }

    pub(super) fn bump(&self) {
        count_up(&self.counter);
    }

    /// Wakes everybody, because any unit may have changed.
    pub(super) fn bump_all(&self) {
        self.bump();
        count_up(&self.runs);
    }
}

fn count_up(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count = count.wrapping_add(1));
}

impl OurUnit {
    /// Notes the job that it shows at rest, and whether its conditions were tested and do not hold.
    fn rests(&mut self, at: u64, job: Option<u32>, is_unmet: bool) {
        self.seen.rests(at, job);
        if let Some(job) = job.filter(|_| is_unmet) {
            self.seen.conditions_failed(job);
        }
    }

    /// Notes what a signal about the unit says.
    fn follow(&mut self, unit: UnitProperties) {
        let loaded = Loaded { unit, service: self.service.clone(), ..Loaded::default() };
        let job = loaded.unit.job.as_ref().map(|(job, _)| *job).filter(|job| *job != 0);
        if loaded.is_up() {
            self.seen.is_up(loaded.active(), job);
        } else if let Some(at) = loaded.unit.inactive_enter_timestamp {
            let is_tested = loaded.unit.condition_monotonic.is_some_and(|at| at > 0);
            let is_unmet = is_tested && loaded.unit.condition_result == Some(false);
            self.rests(at, job, is_unmet);
        }
        let ended_alone =
            loaded.unit.inactive_enter_timestamp.is_some_and(|at| self.seen.ended_alone(at));
        if let Some(end) = loaded.own_end(ended_alone).filter(|end| self.ends.last() != Some(end)) {
            self.ends.push(end);
            let surplus = self.ends.len().saturating_sub(ENDS_MAX);
            self.ends.drain(..surplus);
        }
    }
}

/// Waits until the job has ended, or its end may have been missed, for [`LOOK_INTERVAL`] at most.
/// Returns how it ended; none if that was not heard.
pub(super) async fn next_look(
    ends: &mut broadcast::Receiver<JobEnd>,
    job: &OwnedObjectPath,
) -> Option<JobEnd> {
    let until_end = async {
        loop {
            match ends.recv().await {
                Ok(ended) if &ended.job == job => return Some(ended),
                Ok(_) => {}
                // Some were missed, perhaps this one.
                Err(broadcast::error::RecvError::Lagged(_)) => return None,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    // Not in time is fine: the caller looks either way.
    tokio::time::timeout(LOOK_INTERVAL, until_end).await.unwrap_or(None)
}

#[cfg(test)]
mod tests;
