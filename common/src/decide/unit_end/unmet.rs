//! Decides whether systemd skipped the last start of a unit: a condition or an assertion of the unit
//! did not hold, or a unit that it requires did not start.
//!
//! systemd tests the conditions and then the assertions before it starts anything of a unit that
//! does not run (`unit_start` in its `unit.c`). What runs was started after tests that held, so tests
//! that did not hold are always those of the last start. They come after the stop of a restart. Of a
//! required unit that did not start, the unit shows nothing: only the end of its job says so
//! (`JobRemoved` of org.freedesktop.systemd1(5)).

use super::seen::SeenRest;
use crate::decide::observed::{ActiveState, UnitEnd, Unmet};
use crate::text::printable::printable;

/// The characters of a test that are shown, at most.
const TEST_CHARS_MAX: usize = 200;

/// How a job of a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobResult {
    /// It was done, also if a condition of the unit did not hold.
    Done,
    /// An assertion of the unit did not hold.
    Assertion,
    /// A unit that it requires did not start.
    Dependency,
    /// It failed, another job took its place, or the like.
    Other,
}

/// A condition or an assertion of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitTest<'a> {
    /// Its name in the unit file, such as `ConditionPathExists`.
    pub name: &'a str,
    /// Whether one of all those with `|` is enough.
    pub is_trigger: bool,
    /// Whether it holds if what it asks for is not so (`!`).
    pub is_negated: bool,
    pub parameter: &'a str,
    /// Whether it did not hold when it was tested last.
    pub has_failed: bool,
}

/// The conditions of a unit, or its assertions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitTests<'a> {
    /// Whether they held at the last test (`ConditionResult`, `AssertResult`).
    pub held: bool,
    /// When they were tested last, in microseconds since boot; 0 if never.
    pub at: u64,
    /// Each of them, in the order in which systemd tests them.
    pub each: Vec<UnitTest<'a>>,
}

/// What systemd says of the tests before the last start of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedUnit<'a> {
    pub state: ActiveState,
    /// The unit's `Result`.
    pub result: &'a str,
    pub conditions: UnitTests<'a>,
    pub assertions: UnitTests<'a>,
}

impl JobResult {
    /// Converts the result from systemd's word for it.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "done" => Self::Done,
            "assert" => Self::Assertion,
            "dependency" => Self::Dependency,
            _ => Self::Other,
        }
    }
}

impl UnitTest<'_> {
    /// Returns the line of the unit file, made safe for terminals and of bounded length.
    fn line(&self) -> String {
        let trigger = if self.is_trigger { "|" } else { "" };
        let negation = if self.is_negated { "!" } else { "" };
        let line = format!("{}={trigger}{negation}{}", self.name, self.parameter);
        printable(&line).chars().take(TEST_CHARS_MAX).collect()
    }
}

impl UnitTests<'_> {
    fn have_failed(&self) -> bool {
        !self.held && self.at > 0
    }

    /// Returns what did not hold. The first failure ends the tests, except those with `|`, of which
    /// all have to fail; what comes after it may show the result of an earlier test.
    fn failed(&self) -> Option<String> {
        let failed = || self.each.iter().filter(|test| test.has_failed);
        let first = failed().find(|test| !test.is_trigger).map(UnitTest::line);
        let triggers: Vec<String> = failed().map(UnitTest::line).collect();
        first.or_else(|| (!triggers.is_empty()).then(|| triggers.join(" and ")))
    }
}

/// Returns why the last start of a unit was skipped, as far as the unit itself shows it; none while
/// it runs.
#[must_use]
pub fn unmet(unit: &TestedUnit<'_>) -> Option<Unmet> {
    match unit.state {
        ActiveState::Inactive | ActiveState::Failed => {}
        ActiveState::Activating
        | ActiveState::Active
        | ActiveState::Deactivating
        | ActiveState::Reloading => return None,
    }
    if unit.conditions.have_failed() {
        return Some(Unmet::Condition(unit.conditions.failed()));
    }
    if unit.assertions.have_failed() {
        return Some(Unmet::Assertion(unit.assertions.failed()));
    }
    // A program tests this condition, after all others.
    let is_program = unit.result == "exec-condition";
    is_program.then(|| Unmet::Condition(Some("ExecCondition=".to_owned())))
}

/// Returns why a start that is over was skipped, by the unit and by the result of its job, if that
/// was heard.
#[must_use]
pub fn why_skipped(unit: &TestedUnit<'_>, job: Option<JobResult>) -> Option<Unmet> {
    let shown = unmet(unit);
    match job {
        Some(JobResult::Done) | None => shown,
        Some(JobResult::Assertion) => match shown {
            Some(assertion @ Unmet::Assertion(_)) => Some(assertion),
            Some(Unmet::Condition(_) | Unmet::Dependency) | None => Some(Unmet::Assertion(None)),
        },
        Some(JobResult::Dependency) => Some(Unmet::Dependency),
        // Another job may have taken its place before anything was tested.
        Some(JobResult::Other) => None,
    }
}

/// What is known of a start of which an earlier look noted that it was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotedSkip {
    /// When the unit came to rest then, in microseconds since 1970; 0 if systemd had it fresh.
    pub noted: u64,
    /// When it became inactive or failed, by what systemd shows now; 0 if it has it fresh.
    pub at: u64,
    /// Since when it rested as a later job was done that did not start it.
    pub done_at_rest_since: Option<u64>,
    /// How a signal said that it came to rest last.
    pub seen: Option<SeenRest>,
}

/// Returns true if the start that was noted is still the last one. Of a unit that systemd unloads
/// every rest looks the same, so a stop of it counts only where a signal said so.
#[must_use]
pub fn is_still_skipped(skip: NotedSkip) -> bool {
    let is_of_this_rest = skip.noted == skip.at;
    // A stop of what does not run is a later job than the start.
    let was_stopped_at_rest = skip.done_at_rest_since == Some(skip.at);
    // The stop of a restart of which the start was skipped does not count as one.
    let was_stopped = skip.at == 0 && skip.seen.is_some_and(|seen| seen.end == UnitEnd::Stopped);
    is_of_this_rest && !was_stopped_at_rest && !was_stopped
}

#[cfg(test)]
mod tests;
