//! What is right in a catalog and can surprise.

use std::collections::BTreeMap;

use super::{Catalog, WorkloadTemplate};

impl Catalog {
    /// Returns what is right and can surprise, one sentence each: the images of other registries
    /// than the catalog's, and the components that no tenant can have.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.other_registries();
        for (name, component) in &self.components {
            if let Some(instance) = component.unit.instance_of_template() {
                let unit = &component.unit;
                notes.push(format!(
                    "components.{name}.unit: {unit} is a template, which is no unit; a tenant with \
                     this component is refused (name one of its instances, such as {instance})"
                ));
            }
        }
        notes
    }

    /// Says once for every registry which components have an image of it. Before 0.2.0 such an
    /// image was below the catalog's own registry.
    fn other_registries(&self) -> Vec<String> {
        let Some(own) = &self.registry else { return Vec::new() };
        let mut others: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, component) in &self.components {
            let WorkloadTemplate::Container(container) = &component.workload else { continue };
            let image = &container.image;
            if image.names_registry() && image.registry() != own.registry() {
                others.entry(image.registry()).or_default().push(name.as_ref());
            }
        }
        let note = |(host, names): (String, Vec<&str>)| {
            let names = names.join(", ");
            format!(
                "images of {host}: {names}; before 0.2.0 these names were read as {own}/{host}/…"
            )
        };
        others.into_iter().map(note).collect()
    }
}
