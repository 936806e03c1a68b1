//! Records on disk the last good version of each component. The supervisors read it, because such a
//! version may take its time at a later start; and it shows which changes the cache has lost.

use std::collections::BTreeMap;

use oml_common::decide::difference::OwnFile;
use oml_common::decide::last_good_note::{
    NoteAction, NotedVersion, good_versions, is_noted, note_action,
};
use oml_common::decide::lost_update::lost_updates;
use oml_common::decide::observed::Observed;
use oml_common::decide::reconcile::Decision;
use oml_common::decide::schedule::DaemonsAway;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::{debug, warn};

use super::Agent;
use crate::documents;

impl Agent {
    /// Finds once, at the first look at the whole host, the changes that the cache has lost.
    pub(super) fn find_lost_updates(&mut self, observed: &Observed) {
        let DaemonsAway { engine, systemd } = self.daemons_away();
        let is_whole = engine.is_none() && systemd.is_none();
        if self.state.compared || self.state.assignment.is_none() || !is_whole {
            return;
        }
        self.state.compared = true;
        let known = self.state.documents.keys().chain(observed.instances.keys());
        let last_good = known.filter_map(|name| {
            Some((name.clone(), documents::read_last_good(&self.host.paths, name).ok()??))
        });
        let last_good = last_good.collect();
        for (component, update) in lost_updates(self.input(observed), &last_good) {
            warn!(%component, "the record of its change is lost; what the host shows of it counts");
            self.state.updates.insert(component, update);
            self.state.unsaved = true;
        }
    }

    /// Reads the last good workload of every desired instance by which the host does not work. It shows
    /// what ran last where somebody changed the document of what does not run.
    pub(super) fn read_noted(&mut self) {
        let desired = self.state.assignment.iter().flat_map(|it| it.content.share.instances.iter());
        let others = desired.filter(|(name, desired)| {
            let document = self.state.documents.get(*name);
            document.is_none_or(|it| it.workload.hash != desired.instance.workload_hash())
        });
        let noted = others.filter_map(|(name, _)| {
            Some((name.clone(), documents::read_last_good(&self.host.paths, name).ok()??))
        });
        self.state.noted = noted.collect();
    }

    /// Records the versions that are good.
    pub(super) fn record_last_good(&mut self, decisions: &BTreeMap<ComponentName, Decision>) {
        let paths = self.host.paths.clone();
        let paths = &paths;
        for (name, good) in good_versions(decisions, self.state.assignment.as_deref()) {
            let last_noted = self.state.last_good.get(&name);
            if is_noted(&good, last_noted, paths.last_good(&name).exists()) {
                continue;
            }
            let read = documents::read_last_good(paths, &name);
            let noted = match &read {
                Ok(noted) => NotedVersion::Known(noted.as_ref()),
                Err(_of_a_later_release) => NotedVersion::OfLaterRelease,
            };
            let action = note_action(&good, noted, last_noted);
            let was_edited = action == NoteAction::Write && self.has_noted(&name, &good);
            if action == NoteAction::Write && !was_edited {
                self.forget_last_good_sum(&name);
            }
            if action == NoteAction::KeepUnread
                && let Err(error) = &read
            {
                warn!(component = %name, error = chain(error), "cannot read the record of the last good version; leaving it");
            }
            if action == NoteAction::Write
                && let Err(error) = documents::write_last_good(paths, &name, &good)
            {
                // It is tried again at the next pass; until then its start has the usual limit.
                debug!(component = %name, error = chain(&error), "cannot record the last good version");
                continue;
            }
            if was_edited {
                self.note_put_right(&name, OwnFile::LastGoodNote);
            }
            self.state.last_good.insert(name, good);
        }
    }
}
