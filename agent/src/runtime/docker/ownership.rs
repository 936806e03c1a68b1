//! Distinguishes our containers from those that only bear our labels. Every list of ours comes from here.

use bollard::models::ContainerSummary;
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

impl Docker {
    /// Sorts the listed containers that bear our labels.
    pub(super) fn sort(&self, found: &[ContainerSummary]) -> Sorted {
        let mut sorted = Sorted::default();
        for labelled in found.iter().filter_map(label::read) {
            match self.not_ours(&labelled) {
                None => sorted.ours.push(labelled.marked),
                Some(why) => {
                    let Marked { name, component, .. } = labelled.marked;
                    sorted.foreign.push((component, Difference::LabelledContainer { name, why }));
                }
            }
        }
        sorted
    }

    /// Returns the containers of ours among those that are listed.
    pub(super) fn ours(&self, found: &[ContainerSummary]) -> Vec<Marked> {
        self.sort(found).ours
    }

    fn not_ours(&self, labelled: &Labelled) -> Option<NotOurs> {
        let Labelled { marked, labelled_image, image, image_name } = labelled;
        let held = marked.held().ok();
        let own_name = held.as_ref().and_then(|held| held.workload.name.as_ref());
        let found = LabelledContainer {
            id: &marked.id,
            name: &marked.name,
            tenant: &marked.tenant,
            own_name: own_name.map(|name| name.as_str()),
            hash: &marked.hash,
            labelled_image: labelled_image.as_deref(),
            digest: &marked.digest,
            image: image.as_deref(),
            image_name: image_name.as_deref(),
        };
        match not_ours(found, self.tenant.as_ref(), Excuse::default()) {
            // Only a name can be excused, so the files are seldom read.
            Some(NotOurs::OtherName) => {
                let supervised = self.supervised(&marked.component);
                let neighbours = self.names();
                let excuse = Excuse { supervised: supervised.as_deref(), neighbours: &neighbours };
                not_ours(found, self.tenant.as_ref(), excuse)
            }
            decided => decided,
        }
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

    /// Returns the names of the containers of this host's components, by those documents that can
    /// be read.
    fn names(&self) -> Vec<String> {
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
        components.iter().filter_map(name).collect()
    }
}
