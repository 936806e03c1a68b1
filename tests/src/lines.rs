//! The lab's images for tenants that run one of the four lines of OMniLeads.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, anyhow};
use oml_common::document::catalog::{Catalog, CatalogSources, WorkloadTemplate};
use oml_lab::Lab;

use crate::workspace::workspace_root;

pub mod document;
pub mod line;

/// The rules of the controller by which hosts pull the images of the lines from the lab's registry.
pub const MIRRORS: &str = "[mirrors]\n\"docker.io/\" = \"registry.lab:5000/docker.io/\"\n\
                           \"quay.io/\" = \"registry.lab:5000/quay.io/\"\n";

/// Reads a shipped catalog, with everything that it includes.
///
/// # Errors
/// There is no such file in the folder of catalogs, or it has mistakes.
pub fn catalog(file: &str) -> Result<Catalog> {
    let folder = workspace_root()?.join("catalog");
    let mut sources = CatalogSources::new(file);
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            break;
        }
        for path in missing {
            let text = fs::read_to_string(folder.join(&path));
            sources.put(&path, text.map_err(|error| error.to_string()));
        }
    }
    sources.catalog().map_err(|problems| anyhow!("{file}: {problems}"))
}

/// Puts the images into the lab's registry that components of a line need to run in these versions. A component may
/// be there several times.
///
/// # Errors
/// There is no such line or component, or the registry does not answer.
pub fn add_images(lab: &Lab, line: &str, versions: &[(&str, &str)]) -> Result<()> {
    let catalog = catalog(&format!("omnileads-{line}.yaml"))?;
    let tags: BTreeSet<(String, &str)> = versions
        .iter()
        .map(|(component, tag)| Ok((image(&catalog, component)?, *tag)))
        .collect::<Result<_>>()?;
    let tags: Vec<(&str, &str)> = tags.iter().map(|(image, tag)| (image.as_str(), *tag)).collect();
    Ok(lab.add_images_of(line, &tags)?)
}

/// Returns the image of a component, with its registry, as contracts name it.
fn image(catalog: &Catalog, component: &str) -> Result<String> {
    let found = catalog.components.iter().find(|(name, _)| name.as_str() == component);
    let (_, found) = found.with_context(|| format!("the catalog has no component {component}"))?;
    let WorkloadTemplate::Container(container) = &found.workload else {
        return Err(anyhow!("{component} is no container"));
    };
    let image = container.image.as_str();
    Ok(match &catalog.registry {
        Some(registry) if !container.image.names_registry() => format!("{registry}/{image}"),
        Some(_) | None => image.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_a_component_is_named_with_its_registry() {
        let catalog = catalog("omnileads-2.6.yaml").unwrap();
        assert_eq!(image(&catalog, "daphne").unwrap(), "docker.io/omnileads/omlapp");
        assert_eq!(image(&catalog, "minio").unwrap(), "quay.io/minio/minio");
        assert!(image(&catalog, "node-exporter").is_err());
        assert!(image(&catalog, "other").is_err());
    }
}
