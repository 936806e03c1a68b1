//! A plan that lacks only what registries say: checked, placed and rendered
//! before anybody is asked.

use std::collections::BTreeMap;

use crate::document::instance::{InstanceDocument, Workload};
use crate::id::{ComponentName, Digest};
use crate::text::problem::{Problem, Problems};

use super::ImageName;
use crate::document::plan::Plan;

/// A plan whose images have no digests yet.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its containers hold [`unresolved`] until [`Prepared::finish`].
    plan: Plan,
    images: BTreeMap<ComponentName, ImageName>,
}

impl Prepared {
    pub(super) fn new(plan: Plan, images: BTreeMap<ComponentName, ImageName>) -> Self {
        Self { plan, images }
    }

    /// The images whose digests it needs, by component.
    #[must_use]
    pub fn images(&self) -> &BTreeMap<ComponentName, ImageName> {
        &self.images
    }

    /// Everything but the digests: which instances run where, with which units,
    /// names and ports.
    #[must_use]
    pub fn layout(&self) -> &Plan {
        &self.plan
    }

    /// The plan with these digests.
    ///
    /// # Errors
    /// One problem for each component whose image has no digest among them.
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
                    desired.instance = resolved(&desired.instance, digest);
                }
            }
        }
        problems.into_result(plan)
    }
}

/// The instance with the digest of its image. Its bytes are made anew: those
/// that held no digest went nowhere.
fn resolved(instance: &InstanceDocument, digest: &Digest) -> InstanceDocument {
    let workload = instance.workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.digest = digest.clone();
        }
    });
    instance.edited(|instance| instance.workload = workload)
}

/// The digest of a container whose image has not been resolved: no image has it.
pub(super) fn unresolved() -> Digest {
    format!("sha256:{}", "0".repeat(64)).parse().expect("64 zeros are 64 hexadecimal digits")
}
