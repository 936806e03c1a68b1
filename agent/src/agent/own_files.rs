//! Notices edits of the files that the agent keeps beside the document in use: the document of the version
//! before and the note of the last good version. Their sums are in the record of updates, so that an edit
//! is noticed that was made while the agent did not run.

use std::collections::BTreeMap;

use oml_common::decide::difference::OwnFile;
use oml_common::document::update::OwnSums;
use oml_common::id::{ComponentName, ContentHash};
use oml_common::text::error::chain;
use tracing::{debug, warn};

use super::Agent;
use crate::documents;
use crate::files::{self, FileError};
use crate::paths::Slot;

/// What the agent knows of its own files.
#[derive(Default)]
pub(super) struct OwnFiles {
    /// The files as they were after the last step of each component that writes them.
    sums: BTreeMap<ComponentName, OwnSums>,
    /// The texts of the documents of the versions before, as far as this process has seen them.
    texts: BTreeMap<ComponentName, String>,
    /// The components of whose version before somebody changed the document, and nobody knows what it was.
    pub(super) left: Vec<ComponentName>,
}

impl OwnFiles {
    /// Takes over the sums of the agent before.
    pub(super) fn known(sums: BTreeMap<ComponentName, OwnSums>) -> Self {
        Self { sums, ..Self::default() }
    }

    /// Returns the sums, which the record of updates keeps.
    pub(super) fn sums(&self) -> BTreeMap<ComponentName, OwnSums> {
        self.sums.clone()
    }
}

impl Agent {
    /// Looks for edits of these files, and writes again those whose content is known.
    pub(super) fn read_own_files(&mut self) {
        let mut own = std::mem::take(&mut self.state.own_files);
        own.left.clear();
        for (name, sums) in &own.sums {
            if self.state.busy.contains_key(name) || self.desired(name).is_none() {
                continue;
            }
            if !own.texts.contains_key(name) {
                let seen = self.seen_previous(name, sums).map(|text| (name.clone(), text));
                own.texts.extend(seen);
            }
            let mut changed = Vec::new();
            if let Some(is_right) = self.put_previous_right(name, sums, own.texts.get(name)) {
                match is_right {
                    true => changed.push(OwnFile::PreviousDocument),
                    false => own.left.push(name.clone()),
                }
            }
            if self.put_last_good_right(name, sums) {
                changed.push(OwnFile::LastGoodNote);
            }
            for file in changed {
                self.note_put_right(name, file);
            }
        }
        self.state.own_files = own;
    }

    /// Reads the document of the version before, if nobody edited it.
    fn seen_previous(&self, name: &ComponentName, sums: &OwnSums) -> Option<String> {
        let path = self.host.paths.document(name, Slot::Previous);
        let text = files::read_if_there(&path).ok().flatten()?;
        (Some(sum(&text)) == sums.previous).then_some(text)
    }

    /// Returns whether an edited document of the version before was written again; none if nobody
    /// edited it.
    fn put_previous_right(
        &self,
        name: &ComponentName,
        sums: &OwnSums,
        text: Option<&String>,
    ) -> Option<bool> {
        let paths = &self.host.paths;
        let path = paths.document(name, Slot::Previous);
        let found = files::read_if_there(&path).map(|text| text.map(|text| sum(&text)));
        if found.as_ref().is_ok_and(|found| *found == sums.previous) {
            return None;
        }
        let settled = || documents::read_settled(paths, name).map(|it| it.text().to_owned());
        let is_right = |text: &String| Some(sum(text)) == sums.previous;
        let text = text.cloned().filter(is_right).or_else(|| settled().filter(is_right));
        let written = match (&sums.previous, text) {
            (None, _) => files::remove_durably(&path).map(|_was_there| ()),
            (Some(_), Some(text)) => documents::write_previous(paths, name, &text),
            (Some(_), None) => return Some(false),
        };
        Some(is_done(name, written))
    }

    /// Returns whether an edited note of the last good version was written again.
    fn put_last_good_right(&self, name: &ComponentName, sums: &OwnSums) -> bool {
        let (paths, Some(last_good)) = (&self.host.paths, &sums.last_good) else { return false };
        match documents::read_last_good(paths, name) {
            Ok(noted) if noted.as_ref() != Some(last_good) => {
                is_done(name, documents::write_last_good(paths, name, last_good))
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Takes over these files as they are, of the components of which a step may have written them.
    pub(super) fn record_own_files(&mut self) {
        let Some(assignment) = self.state.assignment.clone() else { return };
        let share = &assignment.content.share;
        let removed =
            self.state.own_files.sums.extract_if(.., |name, _| !share.instances.contains_key(name));
        self.state.unsaved |= removed.count() > 0;
        for name in share.instances.keys() {
            if self.state.busy.contains_key(name) {
                continue;
            }
            let last_good = self.state.last_good.get(name);
            if let Some(known) = self.state.own_files.sums.get_mut(name) {
                if last_good.is_some() && known.last_good.as_ref() != last_good {
                    known.last_good = last_good.cloned();
                    self.state.unsaved = true;
                }
                continue;
            }
            let path = self.host.paths.document(name, Slot::Previous);
            let Ok(text) = files::read_if_there(&path) else { continue };
            let previous = text.as_deref().map(sum);
            let sums = OwnSums { previous, last_good: last_good.cloned(), update: None };
            let own = &mut self.state.own_files;
            own.texts.extend(text.map(|text| (name.clone(), text)));
            own.sums.insert(name.clone(), sums);
            self.state.unsaved = true;
        }
    }

    /// Notes that an edited file of a component was written again.
    pub(super) fn note_put_right(&mut self, component: &ComponentName, file: OwnFile) {
        warn!(%component, "{file}; it is written again");
        self.state.put_right.entry(component.clone()).or_default().push(file);
    }

    /// Returns true if this version was noted as the last good one of the component, and nothing was written
    /// there since.
    pub(super) fn has_noted(&self, component: &ComponentName, good: &ContentHash) -> bool {
        let known = self.state.own_files.sums.get(component);
        known.is_some_and(|known| known.last_good.as_ref() == Some(good))
    }

    /// Forgets the last good version of a component, durably, before another one is noted: the agent may
    /// end in between.
    pub(super) fn forget_last_good_sum(&mut self, component: &ComponentName) {
        let known = self.state.own_files.sums.get_mut(component);
        if known.is_some_and(|known| known.last_good.take().is_some()) {
            self.state.unsaved = true;
            self.save();
        }
    }

    /// Forgets these files of a component before a step that writes them.
    pub(super) fn forget_own_files(&mut self, component: &ComponentName) {
        self.state.own_files.texts.remove(component);
        self.state.unsaved |= self.state.own_files.sums.remove(component).is_some();
    }
}

fn sum(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

/// Returns whether a file was written. It is tried again at the next look.
fn is_done(component: &ComponentName, written: Result<(), FileError>) -> bool {
    if let Err(error) = &written {
        debug!(%component, error = chain(error), "cannot write an edited file again");
    }
    written.is_ok()
}
