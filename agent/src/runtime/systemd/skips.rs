//! Knows why systemd skipped the last start of a unit. Of a unit that it requires and that did not
//! start, systemd shows nothing afterwards: the stop before that start looks like somebody's. Of a unit
//! that is unloaded when it rests, it shows nothing at all. A note in the run folder lets the next agent
//! know of it.

use oml_common::decide::observed::Unmet;
use oml_common::decide::unit_end::{NotedSkip, is_still_skipped, unmet};
use oml_common::document;
use oml_common::document::host_notes::SkipNote;
use oml_common::text::error::chain;
use tracing::debug;

use super::Systemd;
use super::calls::Loaded;
use crate::files;

impl Systemd {
    /// Returns why systemd skipped the last start of a unit; none if it did not, or the unit runs.
    pub(super) fn unmet(&self, unit: &str, loaded: &Loaded) -> Option<Unmet> {
        let shown = unmet(&loaded.tested());
        if loaded.is_up() || shown.is_some() {
            return shown;
        }
        // One that has nothing to enable is unloaded as soon as it rests, and fresh from then on.
        let at = loaded.unit.inactive_enter_timestamp.unwrap_or(0);
        let seen = self.signals.skipped_at_rest(unit);
        if let Some((_, cause)) = seen.filter(|(since, _)| at == 0 || *since == at) {
            return Some(cause.into());
        }
        let is_noted = self.noted_skip(unit).is_some_and(|noted| {
            let done_at_rest_since = self.signals.done_at_rest_since(unit);
            let seen = self.signals.seen_rest(unit);
            is_still_skipped(NotedSkip { noted, at, done_at_rest_since, seen })
        });
        is_noted.then(|| match loaded.unit.conditions.as_ref().is_none_or(Vec::is_empty) {
            true => Unmet::Dependency,
            false => Unmet::Condition(None),
        })
    }

    /// Notes that the start of a unit that rests since then was skipped.
    pub(super) fn note_skip(&self, unit: &str, at: u64) {
        let path = self.paths.skip_note(unit);
        let note = document::write(&SkipNote { at });
        if let Err(error) = files::write_volatile(&path, note.as_bytes(), 0o600) {
            // This agent knows of it all the same.
            debug!(unit, error = chain(&error), "cannot note that a start was skipped");
        }
    }

    pub(super) fn forget_skip(&self, unit: &str) {
        // It is there only where what a unit requires did not start.
        let _was_there = std::fs::remove_file(self.paths.skip_note(unit)).is_ok();
    }

    fn noted_skip(&self, unit: &str) -> Option<u64> {
        let text = files::read_if_there(&self.paths.skip_note(unit)).ok().flatten()?;
        let read = document::read::<SkipNote>(&text);
        if let Err(error) = &read {
            debug!(unit, error = chain(error), "cannot read the note of a skipped start");
        }
        read.ok().map(|note| note.at)
    }
}
