//! A plan that is complete except for the digests, which need requests to registries.

use std::collections::BTreeMap;

use crate::document::instance::{InstanceDocument, Workload};
use crate::document::plan::Plan;
use crate::id::{ComponentName, Digest};
use crate::text::problem::{Problem, Problems};

use super::ImageName;

/// A plan whose images have no digests yet.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The plan, whose containers have the digest [`unresolved`] until [`Prepared::finish`].
    plan: Plan,
    images: BTreeMap<ComponentName, ImageName>,
}

/// The reasons why there is no plan.
#[derive(Debug, Clone)]
pub struct Unprepared {
    /// What can be made of it all the same, so that more problems are found: its images, of which
    /// registries can be asked, and the instances on its nodes. It is never finished.
    pub prepared: Box<Prepared>,
    pub problems: Problems,
}

impl From<Unprepared> for Problems {
    fn from(unprepared: Unprepared) -> Self {
        unprepared.problems.sorted()
    }
}

impl Prepared {
    pub(super) fn new(plan: Plan, images: BTreeMap<ComponentName, ImageName>) -> Self {
        Self { plan, images }
    }

    /// Returns the images whose digests the plan needs, by component.
    #[must_use]
    pub fn images(&self) -> &BTreeMap<ComponentName, ImageName> {
        &self.images
    }

    /// Returns the plan without digests: the instances of every node with their units, names
    /// and ports.
    #[must_use]
    pub fn layout(&self) -> &Plan {
        &self.plan
    }

    /// Returns the plan with what is known of the change beyond its specification. What the edit asks of
    /// agents is checked by [`Prepared::unsupported`].
    #[must_use]
    pub fn edited(mut self, edit: impl FnOnce(&mut Plan)) -> Self {
        edit(&mut self.plan);
        self
    }

    /// Completes the plan with digests.
    ///
    /// # Errors
    /// Returns a problem for every component whose image has no digest in `digests`.
    pub fn finish(self, digests: &BTreeMap<ImageName, Digest>) -> Result<Plan, Problems> {
        let Self { mut plan, images } = self;
        let mut problems = Problems::default();
        for (component, image) in &images {
            if !digests.contains_key(image) {
                let path = format!("components.{component}.version");
                problems.push(Problem::new(&path, format!("{image} is not in the registry")));
            }
        }
        for share in plan.nodes.values_mut() {
            for (component, desired) in &mut share.instances {
                let digest = images.get(component).and_then(|image| digests.get(image));
                if let Some(digest) = digest {
                    let instance = resolved(&desired.instance, digest);
                    *desired = desired.edited(|desired| desired.instance = instance);
                }
            }
        }
        problems.into_result(plan)
    }
}

/// Returns the instance with the digest of its image. Its bytes may be written again, because
/// those without the digest were never stored or sent.
pub(super) fn resolved(instance: &InstanceDocument, digest: &Digest) -> InstanceDocument {
    let workload = instance.workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.digest = digest.clone();
        }
    });
    instance.edited(|instance| instance.workload = workload)
}

/// Returns the placeholder for a digest that is not known yet. No image has this digest.
pub(super) fn unresolved() -> Digest {
    format!("sha256:{}", "0".repeat(64)).parse().expect("64 zeros are 64 hexadecimal digits")
}
