//! Notes how packaged units end. systemd forgets the end of a main process with the next start, so
//! what its signals say is kept, in the run folder also for the next agent.

use std::sync::PoisonError;

use oml_common::decide::observed::{ObservedUnit, UnitEnd};
use oml_common::decide::unit_end::recent::{FoundEnds, merge};
use oml_common::decide::unit_end::{UnitLife, how_it_ended};
use oml_common::document;
use oml_common::document::status::{LastExit, Status};
use oml_common::id::ContentHash;
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use tracing::debug;

use super::Systemd;
use super::calls::Loaded;
use super::journal::LogSpan;
use super::state::{EXITED, KILLED};
use crate::files;

/// What shells and Docker add to the number of the signal that ended a program.
const SIGNAL_BASE: i64 = 128;

/// The recent ends of a packaged unit, and what the next look needs beside them.
#[derive(Debug, Clone)]
pub(super) struct NotedEnds {
    /// With the hash of the drop-in with which it ran.
    status: Status,
    /// The automatic restarts at the last look; none before the first one of this agent.
    restarts: Option<u32>,
    /// The run folder has a note of it, which also says that the unit ran since the boot.
    is_noted: bool,
}

/// The end of a packaged unit by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnEnd {
    at: Timestamp,
    exit_code: Option<i64>,
    life: LogSpan,
}

impl Loaded {
    fn life(&self) -> UnitLife<'_> {
        let (unit, service) = (&self.unit, &self.service);
        UnitLife {
            state: self.active(),
            waits_for_restart: self.waits_for_restart(),
            result: service.result.as_deref().unwrap_or_default(),
            was_killed: service.main_code == Some(KILLED),
            announces: service.kind.as_deref().is_some_and(|kind| kind.starts_with("notify")),
            main_exit: service.main_exit_monotonic.unwrap_or(0),
            active_enter: unit.active_enter_monotonic.unwrap_or(0),
            active_exit: unit.active_exit_monotonic.unwrap_or(0),
            inactive_enter: unit.inactive_enter_monotonic.unwrap_or(0),
            inactive_exit: unit.inactive_exit_monotonic.unwrap_or(0),
        }
    }

    /// Returns how a packaged unit ended last; none while it runs or has a job.
    pub(super) fn packaged_end(&self) -> Option<UnitEnd> {
        how_it_ended(self.life()).filter(|_| !self.has_any_job())
    }

    /// Returns the state of the unit. Of a packaged one nobody knows more than systemd.
    pub(super) fn observe_as(
        &self,
        is_packaged: bool,
        hash: Option<ContentHash>,
        stale: bool,
    ) -> ObservedUnit {
        let ended = if is_packaged { self.packaged_end() } else { self.supervised_end() };
        ObservedUnit { ended, ..self.observe(hash, stale) }
    }

    /// Returns the last end of the unit, if it was by itself. `ended_alone` is true if signals
    /// showed that nobody stopped it.
    pub(super) fn own_end(&self, ended_alone: bool) -> Option<OwnEnd> {
        // systemd sends the process of the next start once with the state before it.
        if self.service.main_pid.is_some_and(|process| process > 0) {
            return None;
        }
        match how_it_ended(self.life())? {
            UnitEnd::ByItself => {}
            UnitEnd::Stopped | UnitEnd::Unknown if ended_alone => {}
            UnitEnd::Stopped | UnitEnd::Unknown => return None,
        }
        let service = &self.service;
        let exit = service.main_exit.filter(|exit| *exit > 0);
        let at = exit.or(self.unit.inactive_enter_timestamp)?;
        let status = service.main_status.map(i64::from);
        let exit_code = match service.main_code {
            Some(EXITED) => status,
            Some(_) => status.map(|signal| signal.saturating_add(SIGNAL_BASE)),
            None => None,
        };
        let exit_code = exit_code.filter(|_| exit.is_some());
        Some(OwnEnd { at: Timestamp(at / 1000), exit_code, life: self.log_life(at) })
    }

    /// Returns the part of the log that belongs to the life that ended then.
    pub(super) fn log_life(&self, until: u64) -> LogSpan {
        let since = self.service.main_start.filter(|start| *start > 0);
        let since = since.or(self.unit.inactive_exit_timestamp).unwrap_or(0);
        LogSpan { invocation: self.unit.invocation_id.clone().unwrap_or_default(), since, until }
    }
}

impl Systemd {
    /// Notes the ends of a packaged unit since the last look, and returns all that are recent. The
    /// lines that it wrote before the last one come later.
    pub(super) fn note_ends(&self, unit: &str, hash: &ContentHash, loaded: &Loaded) -> Status {
        let (mut recent, with_other) = self.recent_ends(unit, hash);
        let before = recent.status.clone();
        let (mut found, shown) = (self.signals.take_ends(unit), loaded.own_end(false));
        let restarts = loaded.service.restarts.unwrap_or(0);
        let merged = merge(FoundEnds {
            known: &before.ends,
            with_other: with_other.as_ref().map(|status| status.ends.as_slice()),
            signalled: found.iter().map(|end| end.at).collect(),
            shown: shown.as_ref().map(|end| end.at),
            restarts_before: recent.restarts,
            restarts,
            started_at: Timestamp(loaded.unit.inactive_exit_timestamp.unwrap_or(0) / 1000),
        });
        recent.status.ends = merged.all;
        found.extend(shown);
        let last = found.into_iter().find(|end| Some(end.at) == merged.new_last);
        if let Some(OwnEnd { at, exit_code, life }) = last {
            recent.status.last_exit = Some(LastExit { at, exit_code, log_tail: Vec::new() });
            self.read_log_tail(unit, loaded.own_name(unit), at, life);
        }
        recent.restarts = Some(restarts);
        let status = recent.status.clone();
        let has_run = loaded.is_up() || !status.ends.is_empty();
        if status != before || (has_run && !recent.is_noted) {
            recent.is_noted = self.write_ends(unit, &status);
        }
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(unit.to_owned(), recent);
        status
    }

    /// Returns what is known of the ends with this drop-in, and the ends with another one before.
    fn recent_ends(&self, unit: &str, hash: &ContentHash) -> (NotedEnds, Option<Status>) {
        let known = self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(unit).cloned();
        let noted = |status| NotedEnds { status, restarts: None, is_noted: true };
        let known = known.or_else(|| self.read_ends(unit).map(noted));
        let (known, other): (Option<NotedEnds>, _) = match known {
            Some(known) if &known.status.hash == hash => (Some(known), None),
            other => (None, other.map(|other| other.status)),
        };
        let new = || NotedEnds {
            status: Status::new(hash.clone(), Timestamp(0)),
            restarts: None,
            is_noted: false,
        };
        (known.unwrap_or_else(new), other)
    }

    /// Keeps the ends of a unit with what its program wrote.
    pub(super) fn keep_ends(&self, unit: &str, status: &Status) {
        let mut all = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(recent) = all.get_mut(unit) else { return };
        recent.status = status.clone();
        recent.is_noted = self.write_ends(unit, status);
    }

    /// Forgets the ends of a unit that is taken away.
    pub(super) fn forget_ends(&self, unit: &str) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(unit);
        self.log_tails.forget(unit);
        // It is there only for packaged units.
        let _was_there = std::fs::remove_file(self.paths.ends_note(unit)).is_ok();
    }

    fn read_ends(&self, unit: &str) -> Option<Status> {
        let text = files::read_if_there(&self.paths.ends_note(unit)).ok().flatten()?;
        let read = document::read(&text);
        if let Err(error) = &read {
            debug!(unit, error = chain(error), "cannot read the earlier ends of a unit");
        }
        read.ok()
    }

    /// Notes the ends for the next agent, and returns true if this succeeded. This agent knows of
    /// them all the same, and writes them again at its next look.
    fn write_ends(&self, unit: &str, status: &Status) -> bool {
        let text = document::write(status);
        let path = self.paths.ends_note(unit);
        let written = files::write_volatile(&path, text.as_bytes(), 0o600);
        if let Err(error) = &written {
            debug!(unit, error = chain(error), "cannot note the ends of a unit");
        }
        written.is_ok()
    }
}
