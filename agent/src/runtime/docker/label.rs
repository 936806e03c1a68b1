//! The labels by which we recognise our containers.

use std::collections::HashMap;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use oml_common::document::container_labels::ContainerLabels;
use oml_common::time::Timestamp;

use crate::runtime::{ContainerInstance, Marked};

/// A container that bears our labels; it may be a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) marked: Marked,
    /// The id of the image that it was created from; none if an earlier release created it.
    pub(super) labelled_image: Option<String>,
    /// The id of the image that it runs, by the engine.
    pub(super) image: Option<String>,
    /// The name by which that image was asked for, or its id if the engine forgot the name.
    pub(super) image_name: Option<String>,
}

/// Returns the labels of a container for that instance, which is created from the image with
/// that id.
pub(super) fn labels(
    instance: ContainerInstance<'_>,
    image: Option<&str>,
) -> HashMap<String, String> {
    let (instance, container) = (instance.document(), instance.container());
    let labels = ContainerLabels {
        tenant: instance.tenant.clone(),
        component: instance.component.clone(),
        hash: instance.workload_hash(),
        version: container.version.clone(),
        digest: container.digest.clone(),
        instance: instance.text().to_owned(),
        image: image.map(str::to_owned),
    };
    labels.write().into_iter().collect()
}

/// Returns the container's name without the slash that the engine puts before it.
pub(super) fn name_of(container: &ContainerSummary) -> &str {
    // A link from another container makes a second name with a second slash.
    let names = container.names.iter().flatten();
    let own = names.map(|name| name.trim_start_matches('/')).find(|name| !name.contains('/'));
    own.unwrap_or_default()
}

/// Returns true if the engine is removing the container, or could not remove the whole of it. Such a
/// one is refused every start and keeps its name.
pub(super) fn is_dying(container: &ContainerSummary) -> bool {
    matches!(
        container.state,
        Some(ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::REMOVING)
    )
}

/// Reads the labels of a listed container; none if ours are missing or incomplete.
pub(super) fn read(container: &ContainerSummary) -> Option<Labelled> {
    let ContainerLabels { tenant, component, hash, version, digest, instance, image } =
        ContainerLabels::read(container.labels.as_ref()?)?;
    let created_s = u64::try_from(container.created.unwrap_or(0)).unwrap_or(0);
    let state = container.state;
    let marked = Marked {
        id: container.id.clone()?,
        name: name_of(container).to_owned(),
        tenant,
        component,
        hash,
        version,
        digest,
        created: Timestamp(created_s.saturating_mul(1000)),
        is_running: matches!(
            state,
            Some(
                ContainerSummaryStateEnum::RUNNING
                    | ContainerSummaryStateEnum::PAUSED
                    | ContainerSummaryStateEnum::RESTARTING
            )
        ),
        is_new: state == Some(ContainerSummaryStateEnum::CREATED),
        document: instance,
    };
    let labelled_image = image;
    let (image, image_name) = (container.image_id.clone(), container.image.clone());
    Some(Labelled { marked, labelled_image, image, image_name })
}

#[cfg(test)]
mod tests;
