//! The labels of a container, by which an agent recognises the containers that it created.

use std::collections::{BTreeMap, HashMap};

use crate::id::{ComponentName, ContentHash, Digest, TenantId, Version};

const TENANT: &str = "io.oml.tenant";
const COMPONENT: &str = "io.oml.component";
const HASH: &str = "io.oml.hash";
const VERSION: &str = "io.oml.version";
const DIGEST: &str = "io.oml.digest";
const INSTANCE: &str = "io.oml.instance";
const IMAGE: &str = "io.oml.image";

/// The labels of a container of ours.
///
/// They have no version of their own: these names with these meanings are version 1. Labels are
/// given to a container when it is created and stay as they are, and a container is never
/// created again because of them. A later release may therefore add labels, which this one
/// ignores, and gives none of these another meaning. The instance document among them has a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerLabels {
    pub tenant: TenantId,
    pub component: ComponentName,
    /// The hash of the workload.
    pub hash: ContentHash,
    pub version: Version,
    pub digest: Digest,
    /// The instance document, in its bytes.
    pub instance: String,
    /// The id of the image that the container was created from, because a copy runs another
    /// one. Release 0.1.0 did not write it.
    pub image: Option<String>,
}

impl ContainerLabels {
    /// The label that every container of ours has, with the name of its component.
    pub const COMPONENT: &str = COMPONENT;

    /// Writes the labels.
    #[must_use]
    pub fn write(&self) -> BTreeMap<String, String> {
        let Self { tenant, component, hash, version, digest, instance, image } = self;
        let labels = [
            (TENANT, tenant.to_string()),
            (COMPONENT, component.to_string()),
            (HASH, hash.to_string()),
            (VERSION, version.to_string()),
            (DIGEST, digest.to_string()),
            (INSTANCE, instance.clone()),
        ];
        let image = image.iter().map(|image| (IMAGE, image.clone()));
        labels.into_iter().chain(image).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Reads the labels of a container; none if it does not have all of ours.
    #[must_use]
    pub fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let text = |name: &str| labels.get(name).map(String::as_str);
        Some(Self {
            tenant: text(TENANT)?.parse().ok()?,
            component: text(COMPONENT)?.parse().ok()?,
            hash: text(HASH)?.parse().ok()?,
            version: text(VERSION)?.parse().ok()?,
            digest: text(DIGEST)?.parse().ok()?,
            instance: text(INSTANCE)?.to_owned(),
            image: text(IMAGE).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;
