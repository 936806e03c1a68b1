//! When the last good version of a component is noted on its host, beside the record of updates.

use std::collections::BTreeMap;

use crate::decide::reconcile::Decision;
use crate::document::assignment::Assignment;
use crate::document::report::Phase;
use crate::id::{ComponentName, ContentHash};

/// What the note of a component says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotedVersion<'a> {
    /// It names this workload; none if there is no note, or if it is damaged.
    Known(Option<&'a ContentHash>),
    /// Only a later release can read it.
    OfLaterRelease,
}

/// What is done with the note of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteAction {
    /// It names the good version already.
    Keep,
    /// It stays although nobody can read it: it may name the good version.
    KeepUnread,
    Write,
}

/// Returns the workloads that are good: every desired one that is ready, which one in the middle of
/// its change is not.
#[must_use]
pub fn good_versions(
    decisions: &BTreeMap<ComponentName, Decision>,
    assignment: Option<&Assignment>,
) -> BTreeMap<ComponentName, ContentHash> {
    let Some(assignment) = assignment else { return BTreeMap::new() };
    let ready = decisions.iter().filter(|(_, decision)| decision.phase == Phase::Ready);
    let good = ready.filter_map(|(name, _)| {
        let desired = assignment.content.share.instances.get(name)?;
        Some((name.clone(), desired.instance.workload_hash()))
    });
    good.collect()
}

/// Returns whether the note need not be read: since it started, the agent has found or written there
/// that this version is good. Somebody may have removed the file since.
#[must_use]
pub fn is_noted(good: &ContentHash, last_noted: Option<&ContentHash>, has_file: bool) -> bool {
    last_noted == Some(good) && has_file
}

/// Decides what is done with the note of a component. One that only a later release can read may name
/// the good version, unless this agent has noted a version since it started.
#[must_use]
pub fn note_action(
    good: &ContentHash,
    noted: NotedVersion<'_>,
    last_noted: Option<&ContentHash>,
) -> NoteAction {
    match noted {
        NotedVersion::Known(known) if known == Some(good) => NoteAction::Keep,
        NotedVersion::OfLaterRelease if last_noted.is_none() => NoteAction::KeepUnread,
        NotedVersion::Known(_) | NotedVersion::OfLaterRelease => NoteAction::Write,
    }
}

#[cfg(test)]
mod tests {
    //! Tests of when the note is written.

    use super::*;

    #[test]
    fn a_note_is_written_unless_it_names_the_good_version() {
        let (good, other) = (&ContentHash::of(b"good"), &ContentHash::of(b"other"));
        for last_noted in [None, Some(good), Some(other)] {
            let action = |known| note_action(good, NotedVersion::Known(known), last_noted);
            assert_eq!(action(Some(good)), NoteAction::Keep);
            assert_eq!(action(Some(other)), NoteAction::Write);
            assert_eq!(action(None), NoteAction::Write);
        }
    }

    #[test]
    fn a_note_of_a_later_release_is_replaced_only_after_another_version_was_noted() {
        let good = &ContentHash::of(b"good");
        let action = |last_noted| note_action(good, NotedVersion::OfLaterRelease, last_noted);
        assert_eq!(action(None), NoteAction::KeepUnread);
        assert_eq!(action(Some(&ContentHash::of(b"other"))), NoteAction::Write);
    }

    #[test]
    fn a_note_that_somebody_removed_is_looked_at_again() {
        let (good, other) = (&ContentHash::of(b"good"), &ContentHash::of(b"other"));
        assert!(is_noted(good, Some(good), true));
        assert!(!is_noted(good, Some(good), false));
        assert!(!is_noted(good, Some(other), true));
        assert!(!is_noted(good, None, true));
    }
}
