//! Derives the health of a container from the results of its probe. This is pure code.

use std::collections::BTreeSet;

use oml_common::decide::{crash_loop, unhealthy};
use oml_common::document::instance::{Counting, HeldInstance};
use oml_common::document::status::{Drift, Health, LastExit, Status, SupervisorRelease};
use oml_common::time::Timestamp;

use super::detail::Detail;
use super::time;
use crate::probe::Answer;

/// The status of the instance and the data for its line in `systemctl status`.
#[derive(Debug, Clone)]
pub(super) struct Record {
    status: Status,
    /// What the status says in words.
    detail: Detail,
    version: String,
    noun: Option<String>,
    failures_max: u32,
}

impl Record {
    /// Creates the record of a container that is about to be started.
    pub(super) fn starting(
        instance: &HeldInstance,
        container: &str,
        drift: Option<Drift>,
        now: Timestamp,
    ) -> Self {
        Self::of(
            instance,
            Status {
                container: container.to_owned(),
                health: Health::Starting,
                probe: instance.probe.clone(),
                detail: Detail::Started.to_string(),
                drift,
                ..Status::new(instance.workload.hash.clone(), now)
            },
        )
    }

    /// Creates the record of a container whose health is not known: no status of it is left, or
    /// only a later release understands its probe.
    pub(super) fn unprobed(
        instance: &HeldInstance,
        container: &str,
        drift: Option<Drift>,
        now: Timestamp,
    ) -> Self {
        let mut record = Self::starting(instance, container, drift, now);
        record.say(Detail::NotProbedYet);
        record.become_(Health::Unknown, now);
        record
    }

    /// Carries over what happened in the earlier lives of the same workload.
    pub(super) fn after(mut self, before: Option<Status>) -> Self {
        if let Some(before) = before {
            self.status.ends = before.ends;
            self.status.last_exit = before.last_exit;
            self.status.unhealthy_restarts = before.unhealthy_restarts;
            self.status.not_started = before.not_started;
        }
        self
    }

    /// Keeps the sockets of others for the next supervisor.
    pub(super) fn started_beside(&mut self, others: BTreeSet<u64>) {
        self.status.foreign_sockets = others;
    }

    /// Continues the record of a container that another supervisor held before.
    pub(super) fn of(instance: &HeldInstance, status: Status) -> Self {
        let version =
            instance.workload.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let now = status.checked_at;
        let status = Status { supervisor: Some(SupervisorRelease::own()), ..status };
        let detail = Detail::Before(status.detail.clone());
        let mut record = Self { status, detail, version, noun: None, failures_max: 1 };
        record.adjust(instance, now);
        record
    }

    /// Applies the probe settings of a document. The result of an earlier probe says nothing
    /// about a changed one.
    pub(super) fn adjust(&mut self, instance: &HeldInstance, now: Timestamp) {
        let asked = std::mem::replace(&mut self.status.probe, instance.probe.clone());
        if asked.is_some() && asked != instance.probe {
            self.status.failures = 0;
            self.status.has_answered = false;
            self.say(Detail::ProbeChanged);
            if self.status.health != Health::Starting {
                self.become_(Health::Unknown, now);
            }
        }
        self.noun = match &instance.counting {
            Counting::By(active) => Some(active.noun.clone()),
            Counting::Unknown => Some("calls".to_owned()),
            Counting::Nothing => None,
        };
        self.failures_max = instance.probe.as_ref().map_or(1, |probe| probe.failures_max.max(1));
    }

    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    pub(super) fn health(&self) -> Health {
        self.status.health
    }

    /// Notes when the probe was asked whose result comes next.
    pub(super) fn asked(&mut self, at: Timestamp) {
        self.status.asked_at = Some(at);
    }

    /// Applies a result of the probe.
    pub(super) fn answered(&mut self, answer: Answer, now: Timestamp) {
        self.status.checked_at = now;
        match answer {
            Answer::Good(detail) => {
                self.status.failures = 0;
                self.status.has_answered = true;
                self.status.printed = Vec::new();
                self.say(Detail::Answer(detail));
                self.become_(Health::Healthy, now);
            }
            Answer::Bad(detail) => {
                self.status.failures = self.status.failures.saturating_add(1);
                self.say(Detail::Answer(detail));
                if self.status.health != Health::Starting
                    && self.status.failures >= self.failures_max
                {
                    self.become_(Health::Unhealthy, now);
                }
            }
            // An unknown result is neither a success nor a failure.
            Answer::Unknown(detail) => {
                self.say(Detail::Answer(detail));
                if self.status.health != Health::Starting {
                    self.become_(Health::Unknown, now);
                }
            }
        }
    }

    /// Records why a program is not stopped whose start time-out is over.
    pub(super) fn kept_for_calls(&mut self) {
        if !matches!(self.detail, Detail::KeptForCalls(_)) {
            self.say(Detail::KeptForCalls(Box::new(self.detail.clone())));
        }
    }

    /// Applies the last lines that the program printed before its first answer.
    pub(super) fn printed(&mut self, lines: Vec<String>) {
        self.status.printed = lines;
    }

    /// Records the exit of the program. An exit by hand, or of a version that has not passed
    /// its soak yet, does not count towards a crash loop.
    pub(super) fn exited(&mut self, exit: LastExit, counts: bool) {
        self.status.printed = Vec::new();
        if counts {
            crash_loop::note_end(&mut self.status.ends, exit.at);
        }
        self.status.last_exit = Some(exit);
    }

    /// Records that the program was stopped because it stayed unhealthy.
    pub(super) fn restarted(&mut self, detail: String, now: Timestamp) {
        self.status.unhealthy_restarts = Some(unhealthy::restarted(&self.status, now));
        self.ended(detail, None, now);
    }

    /// Records that the program should have been stopped and that this failed.
    pub(super) fn not_stopped(&mut self, detail: Detail) {
        self.say(detail);
    }

    /// Records that the program was not started. It was not probed, and it may run all the same,
    /// so its last answer and the time of that answer stay. Only a refusal by the engine of a
    /// version that passed its soak counts towards a crash loop.
    pub(super) fn not_started(&mut self, why: String, counts: bool, now: Timestamp) {
        self.say(Detail::NotStarted(why.clone()));
        let before = self.status.not_started.take();
        self.status.not_started = Some(crash_loop::note_refusal(before.as_ref(), why, counts, now));
    }

    /// Records that the program runs, and forgets why earlier starts were refused.
    pub(super) fn is_started(&mut self) {
        self.status.not_started = None;
    }

    /// Applies a count of active calls.
    pub(super) fn counted(&mut self, active: Option<u64>) {
        self.status.active = active;
    }

    /// Records that systemd stopped the container.
    pub(super) fn stopped(&mut self, now: Timestamp) {
        self.status.checked_at = now;
        self.say(Detail::Stopped);
        self.status.active = None;
        self.become_(Health::Unknown, now);
    }

    /// Records that the container ended.
    pub(super) fn ended(&mut self, detail: String, drift: Option<Drift>, now: Timestamp) {
        self.asked(now);
        self.status.checked_at = now;
        self.say(Detail::Ended(detail));
        self.status.active = None;
        self.status.drift = drift.or(self.status.drift.take());
        self.become_(Health::Unhealthy, now);
    }

    /// Formats the line for `systemctl status`.
    pub(super) fn line(&self) -> String {
        let Status { health, detail, since, .. } = &self.status;
        let version = &self.version;
        let state = match health {
            Health::Healthy => format!("healthy, version {version}"),
            Health::Starting => format!("starting, version {version}: {detail}"),
            Health::Unknown => format!("health unknown, version {version}: {detail}"),
            Health::Unhealthy => {
                let since = time::shown(*since);
                format!("unhealthy since {since}, version {version}: {detail}")
            }
        };
        match (&self.noun, self.status.active) {
            (None, _) => state,
            (Some(noun), Some(active)) => format!("{state}, {active} {noun}"),
            (Some(noun), None) => format!("{state}, number of {noun} unknown"),
        }
    }

    fn say(&mut self, detail: Detail) {
        self.status.detail = detail.to_string();
        self.detail = detail;
    }

    fn become_(&mut self, health: Health, now: Timestamp) {
        if self.status.health != health {
            self.status.health = health;
            self.status.since = now;
        }
    }
}

#[cfg(test)]
mod tests;
