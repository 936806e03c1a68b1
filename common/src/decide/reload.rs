//! Whether a program has taken over its files while it runs, and what is said when it has not.

use std::fmt::{Display, Formatter, Result};

use crate::document::instance::{Instance, InstanceDocument, Probe, Reload};
use crate::document::status::{Health, Status};
use crate::time::{Timestamp, print_duration_ms};

pub mod check;

/// The time for a supervisor beyond the pauses and the limits of its probes.
const PROBE_MARGIN_MS: u64 = 10_000;

/// What the probes since a reload say of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// It answers as before.
    Good,
    /// It answered before, and does not any more.
    Bad,
    NotYet,
}

/// The moment of a reload, as far as the probes after it are compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadMoment<'a> {
    /// The id of the container.
    pub container: &'a str,
    /// When the program had been asked to reload.
    pub at: Timestamp,
    /// Whether the program was healthy before. One that was not is not blamed on the new content.
    pub was_healthy: bool,
}

/// Returns what the last status of a supervisor says about a reload.
#[must_use]
pub fn probed(status: Option<&Status>, reload: ReloadMoment<'_>) -> Probed {
    // The answer to an earlier one may come after the reload, and is about the program before it.
    let is_since = |it: &&Status| it.container == reload.container && asked_at(it) > reload.at;
    let Some(status) = status.filter(is_since) else { return Probed::NotYet };
    match status.health {
        Health::Healthy if status.failures == 0 => Probed::Good,
        Health::Unhealthy if reload.was_healthy => Probed::Bad,
        // Nor did it say before what it is; to ask it again and again would change nothing.
        Health::Unhealthy => Probed::Good,
        Health::Unknown if !reload.was_healthy => Probed::Good,
        Health::Healthy | Health::Starting | Health::Unknown => Probed::NotYet,
    }
}

/// Returns when the last probe was asked. Where the supervisor does not say it, that was no earlier than
/// the limit of a probe before its answer.
fn asked_at(status: &Status) -> Timestamp {
    let limit_ms = status.probe.as_ref().map_or(0, |probe| probe.timeout_ms);
    let earliest = Timestamp(status.checked_at.0.saturating_sub(limit_ms));
    status.asked_at.unwrap_or(earliest)
}

/// Returns true if a supervisor says that the program of a container is healthy.
#[must_use]
pub fn is_healthy(status: Option<&Status>, container: &str) -> bool {
    status.is_some_and(|it| it.container == container && it.health == Health::Healthy)
}

/// Returns the time in milliseconds within which the probes after a reload say something.
#[must_use]
pub fn probe_limit_ms(probe: &Probe) -> u64 {
    let one = probe.interval_ms.saturating_add(probe.timeout_ms);
    let probes = u64::from(probe.failures_max).saturating_add(1);
    one.saturating_mul(probes).saturating_add(PROBE_MARGIN_MS)
}

/// Why a program has not taken over its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// Its command ended with an error.
    Exited {
        program: String,
        exit_code: i64,
        /// The last line that it wrote; empty if there is none.
        line: String,
    },
    /// Its command could not be run, or did not end in time.
    NotRun { error: String },
    /// It stopped answering.
    Unhealthy { detail: String },
}

/// What became of the former content after a reload failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutBack {
    /// It is back, and the program has taken it over.
    Done,
    /// It is back, and the program did not take it over either.
    NotTaken(NotTaken),
    /// The host does not know it.
    Unknown,
}

/// The former content of a program that has not taken over its files, as its host knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormerContent<'a> {
    /// It is what the program was asked to take over, so there is no other content that it could
    /// have.
    Same,
    /// This document names it, and says here how the program is asked to take it over.
    Other { document: &'a InstanceDocument, reload: &'a Reload },
    /// No document names it.
    Unknown,
}

/// Returns the former content of the program of an instance, by the current document on its host.
#[must_use]
pub fn former_content<'a>(
    desired: &Instance,
    current: Option<&'a InstanceDocument>,
) -> FormerContent<'a> {
    let has_same_workload = |it: &&InstanceDocument| it.workload_hash() == desired.workload_hash();
    let Some(document) = current.filter(has_same_workload) else { return FormerContent::Unknown };
    let content = |instance: &Instance| instance.reload.as_ref().map(Reload::content);
    if content(document) == content(desired) {
        return FormerContent::Same;
    }
    match &document.reload {
        Some(reload) => FormerContent::Other { document, reload },
        None => FormerContent::Unknown,
    }
}

/// Returns the instance whose files are written before the container of the desired one is made: that
/// of the current document if it has the same workload, because only a reload changes what its program
/// has.
#[must_use]
pub fn before_reload<'a>(desired: &'a Instance, current: Option<&'a Instance>) -> &'a Instance {
    let has_same_workload = |it: &&Instance| it.workload_hash() == desired.workload_hash();
    current.filter(has_same_workload).unwrap_or(desired)
}

/// A reload that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadFailed {
    pub why: NotTaken,
    pub put_back: PutBack,
}

impl NotTaken {
    /// Returns the exit code of its command, if that ended.
    #[must_use]
    pub fn exit_code(&self) -> Option<i64> {
        match self {
            Self::Exited { exit_code, .. } => Some(*exit_code),
            Self::NotRun { .. } | Self::Unhealthy { .. } => None,
        }
    }
}

impl Display for NotTaken {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Exited { program, exit_code, line } => {
                write!(f, "{program} ended with exit code {exit_code}")?;
                if line.is_empty() { Ok(()) } else { write!(f, ": {line}") }
            }
            Self::NotRun { error } => f.write_str(error),
            Self::Unhealthy { detail } => {
                write!(f, "the program stopped answering after it: {detail}")
            }
        }
    }
}

impl Display for ReloadFailed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { why, put_back } = self;
        write!(f, "the reload failed: {why}; ")?;
        match put_back {
            PutBack::Done => f.write_str("its former files are back, and nothing was restarted"),
            PutBack::NotTaken(why) => write!(
                f,
                "its former files are back, but that reload failed too: {why}; nothing was restarted"
            ),
            PutBack::Unknown => {
                f.write_str("its former files are not known any more; nothing was restarted")
            }
        }
    }
}

/// Says why a signal is not sent that stops the program of its container.
#[must_use]
pub fn would_end(signal: &str) -> String {
    format!("{signal} is the signal that stops its container, so it was not sent")
}

/// Says that no probe ended in time after a reload.
#[must_use]
pub fn not_probed(probe: &Probe) -> String {
    let limit = print_duration_ms(probe_limit_ms(probe));
    format!("no probe ended within {limit} after its reload")
}

#[cfg(test)]
mod tests;
