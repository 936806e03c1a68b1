//! The labels by which we recognise our containers.

use std::collections::HashMap;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use oml_common::time::Timestamp;

use crate::runtime::{ContainerInstance, Marked};

const TENANT: &str = "io.oml.tenant";
pub(super) const COMPONENT: &str = "io.oml.component";
const HASH: &str = "io.oml.hash";
const VERSION: &str = "io.oml.version";
const DIGEST: &str = "io.oml.digest";
const INSTANCE: &str = "io.oml.instance";
/// The image that the container is created from: a copy runs another one.
const IMAGE: &str = "io.oml.image";

/// A container that bears our labels; it may be a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) marked: Marked,
    /// The id of the image that it was created from; none if an earlier release created it.
    pub(super) labelled_image: Option<String>,
    /// The id of the image that it runs, by the engine.
    pub(super) image: Option<String>,
}

/// Returns the labels of a container for that instance, which is created from the image with
/// that id.
pub(super) fn labels(
    instance: ContainerInstance<'_>,
    image: Option<&str>,
) -> HashMap<String, String> {
    let (instance, container) = (instance.document(), instance.container());
    let image = image.map(|image| (IMAGE.to_owned(), image.to_owned()));
    let labels = [
        (TENANT.to_owned(), instance.tenant.to_string()),
        (COMPONENT.to_owned(), instance.component.to_string()),
        (HASH.to_owned(), instance.workload_hash().to_string()),
        (VERSION.to_owned(), container.version.to_string()),
        (DIGEST.to_owned(), container.digest.to_string()),
        (INSTANCE.to_owned(), instance.text().to_owned()),
    ];
    labels.into_iter().chain(image).collect()
}

/// Returns the container's name without the slash that the engine puts before it.
pub(super) fn name_of(container: &ContainerSummary) -> &str {
    // A link from another container makes a second name with a second slash.
    let names = container.names.iter().flatten();
    let own = names.map(|name| name.trim_start_matches('/')).find(|name| !name.contains('/'));
    own.unwrap_or_default()
}

/// Reads the labels of a listed container; none if ours are missing or incomplete.
pub(super) fn read(container: &ContainerSummary) -> Option<Labelled> {
    let labels = container.labels.as_ref()?;
    let text = |key: &str| labels.get(key).map(String::as_str);
    let created_s = u64::try_from(container.created.unwrap_or(0)).unwrap_or(0);
    let state = container.state;
    let marked = Marked {
        id: container.id.clone()?,
        name: name_of(container).to_owned(),
        tenant: text(TENANT)?.parse().ok()?,
        component: text(COMPONENT)?.parse().ok()?,
        hash: text(HASH)?.parse().ok()?,
        version: text(VERSION)?.parse().ok()?,
        digest: text(DIGEST)?.parse().ok()?,
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
        document: text(INSTANCE)?.to_owned(),
    };
    let labelled_image = text(IMAGE).map(str::to_owned);
    Some(Labelled { marked, labelled_image, image: container.image_id.clone() })
}

#[cfg(test)]
mod tests;
