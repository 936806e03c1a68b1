//! Watches a running container until its end: probes it and counts its calls.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use oml_common::decide::exit::{ContainerExit, Evidence, explain};
use oml_common::decide::unhealthy::{self, Remedy};
use oml_common::document::instance::{Check, Counting, HeldInstance};
use oml_common::document::status::Health;
use oml_common::text::error::chain;
use oml_common::time::{Span, Timestamp};
use tokio::time::Instant;

use super::engine_client::{EXTENSION, End};
use super::{AdoptedContainer, SignalStream, SuperviseError, Supervisor};
use crate::documents;
use crate::paths::Slot;
use crate::probe::{self, Answer, ProbeTarget};

/// The first pause between probes, short so that a fast start is noticed early.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// The first pause for probes that run a command, which cost the engine far more.
const FIRST_PAUSE_OF_COMMANDS: Duration = Duration::from_millis(100);
const STARTING_PAUSE_MAX: Duration = Duration::from_millis(250);
/// The pause between probes of a program that takes longer than its start time-out.
const LONG_START_PAUSE: Duration = Duration::from_secs(2);
/// The shortest start limit of the last good version, which may have to recover its data.
const LAST_GOOD_START_LIMIT: Duration = Duration::from_secs(3_600);
/// From one request for more start time to the next.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);
/// From one look at what a starting program prints to the next.
const PRINTED_INTERVAL: Duration = Duration::from_secs(5);
/// The first look at what a starting program prints.
const PRINTED_FIRST: Duration = Duration::from_secs(2);
/// The interval between counts of calls.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);
const COUNT_LIMIT: Duration = Duration::from_secs(5);
/// The limit of the count right before a restart, as in a drain: an older answer is worth nothing.
const RECOUNT_LIMIT: Duration = Duration::from_secs(2);
/// Events of an end are looked for this far ahead: the engine records a stop only
/// after the end.
const AFTERMATH_MS: u64 = 300;
/// Events of an end are looked for this far back where the time of the start is unusable.
const JUST_NOW_MS: u64 = 5_000;

/// The end of the watch.
#[derive(Debug)]
pub(super) enum Watched {
    Ended {
        exit: ContainerExit,
        /// The exit code, if the container exists.
        code: Option<i64>,
    },
    /// The program stayed unhealthy for too long.
    Unhealthy { unhealthy_for: Span, detail: String },
    /// The program did not answer within its start time-out.
    NotReady { budget_ms: u64, detail: String },
}

/// The state of the watch between two turns of its loop.
struct WatchState {
    next_probe: Instant,
    starting_pause: Duration,
    next_count: Instant,
    /// The deadline for the first answer; none after it.
    ready_by: Option<Instant>,
    /// Its workload is the last good one.
    is_last_good: bool,
    /// The time from the start to that deadline.
    budget: Duration,
    /// When the start time-out is over, after which it is probed less often.
    slow_from: Instant,
    /// When more start time is asked for; none for a version that has not passed its soak yet.
    next_extension: Option<Instant>,
    /// When it is looked at what the program prints.
    next_printed: Instant,
    document_time: Option<SystemTime>,
    /// The error of the last count of calls.
    uncounted: Option<String>,
}

impl Supervisor {
    /// Watches the adopted container.
    pub(super) async fn watch(
        &mut self,
        mut instance: HeldInstance,
        hangup: &mut SignalStream,
    ) -> Result<Watched, SuperviseError> {
        let Some(AdoptedContainer { id, since, was_ready, .. }) = self.adopted.clone() else {
            return Err(SuperviseError::Unknown(self.component.clone()));
        };
        if was_ready {
            self.client.systemd.ready();
        }
        let mut state = self.watch_state(&instance, was_ready);
        let client = self.client.clone();
        let mut ended = std::pin::pin!(client.until_end(&id));
        loop {
            tokio::select! {
                biased;
                end = &mut ended => {
                    let end = end?;
                    let exit = self.explain(&instance, &id, since, end).await;
                    return Ok(Watched::Ended { exit, code: end.code });
                }
                () = hangup.recv() => {
                    (state.document_time, state.next_probe) = (None, Instant::now());
                }
                () = tokio::time::sleep_until(state.next_probe) => {
                    // The probe may have changed, so the document is read before each probe.
                    self.reread(&mut instance, &mut state);
                    self.probe(&instance, &id, &mut state).await;
                    self.extend_start(&instance, &mut state).await;
                    if let Some(unhealthy) = self.remedy(&instance, &id).await {
                        return Ok(unhealthy);
                    }
                }
            }
            if state.ready_by.is_some_and(|by| Instant::now() >= by) {
                if state.is_last_good && self.carries_calls(&instance, &id).await {
                    self.write_down(|record, _now| record.kept_for_calls());
                    continue;
                }
                let budget_ms = u64::try_from(state.budget.as_millis()).unwrap_or(u64::MAX);
                let detail = self.record.as_ref().map(|record| record.status().detail.clone());
                return Ok(Watched::NotReady { budget_ms, detail: detail.unwrap_or_default() });
            }
        }
    }

    fn watch_state(&self, instance: &HeldInstance, was_ready: bool) -> WatchState {
        let now = Instant::now();
        let limit = Duration::from_millis(instance.timing.start_timeout_ms);
        let is_last_good = self.is_last_good(&instance.workload.hash);
        let budget = if is_last_good { limit.max(LAST_GOOD_START_LIMIT) } else { limit };
        WatchState {
            next_probe: now,
            starting_pause: match instance.probe.as_ref().map(|probe| &probe.check) {
                Some(Check::Exec { .. }) => FIRST_PAUSE_OF_COMMANDS,
                Some(
                    Check::Http { .. }
                    | Check::HttpDetailed { .. }
                    | Check::SipStream { .. }
                    | Check::Tcp { .. }
                    | Check::SipOptions { .. }
                    | Check::Redis { .. }
                    | Check::Postgres { .. }
                    | Check::Rtpengine { .. }
                    | Check::Gearman { .. }
                    | Check::Rabbitmq { .. }
                    | Check::UnitActive,
                )
                | None => FIRST_PAUSE,
            },
            next_count: now,
            ready_by: (!was_ready).then(|| now + budget),
            is_last_good,
            budget,
            slow_from: now + limit,
            next_extension: is_last_good.then_some(now),
            next_printed: now + PRINTED_FIRST,
            document_time: self.document_time(),
            uncounted: None,
        }
    }

    async fn probe(&mut self, instance: &HeldInstance, id: &str, state: &mut WatchState) {
        let client = self.client.clone();
        let target = client.target(id);
        let asked_at = client.env.now();
        let answer = match &instance.probe {
            Some(probe) => client.prober.ask(probe, target).await,
            None => Answer::Unknown("needs a newer agent, which understands its probe".to_owned()),
        };
        self.write_down(|record, now| {
            record.asked(asked_at);
            record.answered(answer, now);
        });
        let health = self.record.as_ref().map_or(Health::Unknown, |record| record.health());
        if health == Health::Healthy && state.ready_by.take().is_some() {
            self.client.systemd.ready();
        }
        let pause = if health == Health::Starting {
            let pause = state.starting_pause;
            let longest = if Instant::now() < state.slow_from {
                STARTING_PAUSE_MAX
            } else {
                LONG_START_PAUSE
            };
            state.starting_pause = (pause * 3 / 2).min(longest);
            pause
        } else {
            instance
                .probe
                .as_ref()
                .map_or(COUNT_INTERVAL, |probe| Duration::from_millis(probe.interval_ms))
        };
        state.next_probe = Instant::now() + pause;
        // Calls may continue in a program that no longer answers its probe.
        if health != Health::Starting && Instant::now() >= state.next_count {
            let counted = self.count(instance, target, COUNT_LIMIT).await;
            if let Err(why) = &counted
                && state.uncounted.as_ref() != Some(why)
            {
                eprintln!("cannot count calls: {why}");
            }
            state.uncounted = counted.err();
            state.next_count = Instant::now() + COUNT_INTERVAL;
        }
    }

    /// Asks systemd for more time while a version that passed its soak starts, and keeps what the
    /// program prints meanwhile.
    async fn extend_start(&mut self, instance: &HeldInstance, state: &mut WatchState) {
        if state.ready_by.is_none() {
            return;
        }
        let now = Instant::now();
        if let Some(next) = state.next_extension.as_mut().filter(|next| **next <= now) {
            // The next request comes after the next probe.
            let probe = Duration::from_millis(instance.probe_timeout_ms());
            self.client.systemd.extend(EXTENSION.saturating_add(probe));
            *next = now + EXTENSION_INTERVAL;
        }
        if state.next_printed <= now {
            state.next_printed = now + PRINTED_INTERVAL;
            let lines = self.last_lines().await;
            self.write_down(|record, _now| record.printed(lines));
        }
    }

    /// Returns the end of the watch if the program stayed unhealthy for too long. Its calls
    /// are counted once more before, because the last count may be older than a call.
    async fn remedy(&mut self, instance: &HeldInstance, id: &str) -> Option<Watched> {
        if self.decide_remedy(instance) != Remedy::Restart {
            return None;
        }
        let counts = instance.counting != Counting::Nothing;
        if counts && !instance.restart_unhealthy.cuts_calls {
            let client = self.client.clone();
            // A count that fails is unknown in the record, so the program is left alone.
            let _uncounted = self.count(instance, client.target(id), RECOUNT_LIMIT).await;
            if self.decide_remedy(instance) != Remedy::Restart {
                return None;
            }
        }
        // It cannot answer, and whoever paused it lets it go on.
        if self.is_paused(id).await {
            return None;
        }
        let status = self.record.as_ref()?.status();
        let unhealthy_for = Span(self.client.env.now().since_ms(status.since));
        Some(Watched::Unhealthy { unhealthy_for, detail: status.detail.clone() })
    }

    /// Returns true unless it is certain that a stop of the program cuts no call, or the catalog
    /// allows to cut them.
    async fn carries_calls(&mut self, instance: &HeldInstance, id: &str) -> bool {
        if !instance.may_carry_calls || instance.restart_unhealthy.cuts_calls {
            return false;
        }
        let client = self.client.clone();
        // A count that fails is unknown in the record.
        let _uncounted = self.count(instance, client.target(id), RECOUNT_LIMIT).await;
        self.record.as_ref().is_none_or(|record| record.status().active != Some(0))
    }

    /// Returns true if somebody paused the container. One that cannot be looked at is not.
    async fn is_paused(&self, id: &str) -> bool {
        match self.client.engine.calls().inspect(id).await {
            Ok(found) => found.is_some_and(|found| found.settings.is_paused),
            Err(error) => {
                eprintln!("cannot look at the container: {}", chain(&error));
                false
            }
        }
    }

    fn decide_remedy(&self, instance: &HeldInstance) -> Remedy {
        let Some(record) = &self.record else { return Remedy::None };
        let (policy, may_carry_calls) = (&instance.restart_unhealthy, instance.may_carry_calls);
        unhealthy::remedy(policy, record.status(), may_carry_calls, self.client.env.now())
    }

    /// Counts the active calls. A count that cannot be read is unknown, never 0.
    async fn count(
        &mut self,
        instance: &HeldInstance,
        target: ProbeTarget<'_>,
        limit: Duration,
    ) -> Result<(), String> {
        let active = match &instance.counting {
            Counting::By(active) => active,
            Counting::Nothing => return Ok(()),
            Counting::Unknown => {
                self.write_down(|record, _now| record.counted(None));
                return Err(probe::NEEDS_NEWER_AGENT.to_owned());
            }
        };
        let commands = active.sources().map(|(command, _before)| command);
        let asked: Vec<_> =
            commands.map(|it| target.calls.exec(target.container, it, limit)).collect();
        let count = probe::count_of(active, join_all(asked).await);
        self.write_down(|record, _now| record.counted(count.as_ref().ok().copied()));
        count.map(drop)
    }

    /// Applies a changed document if it is about the same workload; another workload
    /// waits for the unit's restart.
    fn reread(&mut self, instance: &mut HeldInstance, state: &mut WatchState) {
        let time = self.document_time();
        if time.is_none() || time == state.document_time {
            return;
        }
        state.document_time = time;
        match documents::read_held(&self.paths, &self.component) {
            Ok(Some(fresh)) if fresh.workload.hash == instance.workload.hash => {
                if let Some(adopted) = &mut self.adopted {
                    adopted.grace_ms = fresh.timing.stop_grace_ms;
                }
                self.write_down(|record, now| record.adjust(&fresh, now));
                *instance = fresh;
            }
            Ok(Some(_) | None) => {}
            Err(error) => eprintln!("{}; going on as before", chain(&error)),
        }
    }

    fn document_time(&self) -> Option<SystemTime> {
        let path = self.paths.document(&self.component, Slot::Current);
        std::fs::metadata(path).and_then(|found| found.modified()).ok()
    }

    async fn explain(
        &self,
        instance: &HeldInstance,
        id: &str,
        since: Timestamp,
        end: End,
    ) -> ContainerExit {
        let now = self.client.env.now();
        // A clock that was set back may have put the start into the future.
        let just_now = Timestamp(now.0.saturating_sub(JUST_NOW_MS));
        let since = if since > now { just_now } else { since };
        let until = now.plus_ms(AFTERMATH_MS);
        let container_events = self.client.engine.calls().container_events(id, since, until).await;
        if let Err(error) = &container_events {
            eprintln!("cannot read the container's events: {}", chain(error));
        }
        let evidence = Evidence {
            code: end.code,
            out_of_memory: end.out_of_memory,
            engine_was_away: end.engine_was_away,
            container_events: container_events.ok(),
        };
        let name = instance.workload.name.as_ref().map(ToString::to_string);
        explain(&name.unwrap_or_default(), evidence)
    }
}
