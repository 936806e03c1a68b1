//! Distinguishes our containers from those that only bear our labels. Every list of ours comes from here.

use std::collections::BTreeSet;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use oml_common::decide::difference::Difference;
use oml_common::decide::ownership::{Excuse, LabelledContainer, NotOurs, not_ours};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::debug;

use super::Docker;
use super::label::{self, Labelled};
use crate::documents;
use crate::runtime::Marked;

/// The containers that bear our labels.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) ours: Vec<Marked>,
    /// The others, each with the component of its labels.
    pub(super) foreign: Vec<(ComponentName, Difference)>,
}

impl Sorted {
    fn leave(&mut self, labelled: Labelled, why: NotOurs) {
        let Marked { name, component, .. } = labelled.marked;
        self.foreign.push((component, Difference::LabelledContainer { name, why }));
    }

    fn leave_dying(&mut self, labelled: Labelled, state: Option<ContainerSummaryStateEnum>) {
        let Marked { name, component, .. } = labelled.marked;
        // A removal that is under way ends in a moment.
        if state == Some(ContainerSummaryStateEnum::DEAD) {
            self.foreign.push((component, Difference::NotRemoved { name }));
        }
    }
}

impl Docker {
    /// Sorts the listed containers that bear our labels. One that the engine is removing is left out,
    /// and one that it could not remove is reported: neither can be started again.
    pub(super) fn sort(&self, found: &[ContainerSummary]) -> Sorted {
        let mut sorted = Sorted::default();
        let mut renamed = Vec::new();
        for summary in found {
            let Some(labelled) = label::read(summary) else { continue };
            match self.not_ours(&labelled, Excuse::NONE) {
                None | Some(NotOurs::OtherName) if label::is_dying(summary) => {
                    sorted.leave_dying(labelled, summary.state);
                }
                None => sorted.ours.push(labelled.marked),
                // Only a name can be excused, so the files are seldom read.
                Some(NotOurs::OtherName) => renamed.push(labelled),
                Some(why) => sorted.leave(labelled, why),
            }
        }
        if !renamed.is_empty() {
            self.sort_renamed(&mut sorted, renamed);
        }
        sorted
    }

    /// Sorts those that bear another name than we gave them.
    fn sort_renamed(&self, sorted: &mut Sorted, renamed: Vec<Labelled>) {
        let neighbours = self.names(sorted, &renamed);
        for labelled in renamed {
            let Marked { component, hash, .. } = &labelled.marked;
            let has_another =
                sorted.ours.iter().any(|ours| ours.component == *component && ours.hash == *hash);
            let supervised = self.supervised(component);
            let none = BTreeSet::new();
            let neighbours = if has_another { &none } else { &neighbours };
            let excuse = Excuse { supervised: supervised.as_deref(), neighbours };
            match self.not_ours(&labelled, excuse) {
                None => sorted.ours.push(labelled.marked),
                Some(why) => sorted.leave(labelled, why),
            }
        }
    }

    /// Returns the containers of ours among those that are listed.
    pub(super) fn ours(&self, found: &[ContainerSummary]) -> Vec<Marked> {
        self.sort(found).ours
    }

    fn not_ours(&self, labelled: &Labelled, excuse: Excuse<'_>) -> Option<NotOurs> {
        let Labelled { marked, labelled_image, image, image_name } = labelled;
        let own_name = own_name(marked);
        let found = LabelledContainer {
            id: &marked.id,
            name: &marked.name,
            tenant: &marked.tenant,
            own_name: own_name.as_deref(),
            hash: &marked.hash,
            labelled_image: labelled_image.as_deref(),
            digest: &marked.digest,
            image: image.as_deref(),
            image_name: image_name.as_deref(),
        };
        not_ours(found, self.tenant.as_ref(), excuse)
    }

    /// Returns the id of the container that the component's supervisor held last.
    fn supervised(&self, component: &ComponentName) -> Option<String> {
        match documents::read_status(&self.paths, component) {
            Ok(status) => status.map(|status| status.container),
            Err(error) => {
                debug!(%component, error = chain(&error), "cannot read status");
                None
            }
        }
    }

    /// Returns the names of the containers of this host's components, by the labels of those listed and
    /// by the documents that can be read.
    fn names(&self, sorted: &Sorted, renamed: &[Labelled]) -> BTreeSet<String> {
        let components = documents::components(&self.paths).unwrap_or_else(|error| {
            debug!(error = chain(&error), "cannot list the documents");
            Vec::new()
        });
        let name = |component| match documents::read_held(&self.paths, component) {
            Ok(held) => held?.workload.name.map(|name| name.to_string()),
            Err(error) => {
                debug!(%component, error = chain(&error), "cannot read the document");
                None
            }
        };
        let of_documents = components.iter().filter_map(name);
        let marked = sorted.ours.iter().chain(renamed.iter().map(|labelled| &labelled.marked));
        marked.filter_map(own_name).chain(of_documents).collect()
    }
}

/// Returns the name of a component's container by its own document; none if it cannot be read.
fn own_name(marked: &Marked) -> Option<String> {
    marked.held().ok()?.workload.name.map(|name| name.to_string())
}
