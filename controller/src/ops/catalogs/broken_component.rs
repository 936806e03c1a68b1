//! The components of a catalog that have mistakes. Its tenants can use the others.

use std::fmt;
use std::path::{Path, PathBuf};

use oml_common::document::catalog::Catalog;
use oml_common::id::{CatalogName, ComponentName};
use oml_common::text::problem::Problems;

/// A component that cannot be used.
#[derive(Debug)]
pub struct BrokenComponent {
    pub catalog: CatalogName,
    pub component: ComponentName,
    /// The file or folder of its catalog.
    pub path: PathBuf,
    /// All mistakes in its definition.
    problems: Problems,
}

impl fmt::Display for BrokenComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { catalog, component, path, problems } = self;
        let (path, first) = (path.display(), problems.first_line());
        write!(f, "component {component} of catalog {catalog} cannot be used: {path}: {first}")
    }
}

/// Returns the components of a catalog that cannot be used.
pub(super) fn all(path: &Path, catalog: &Catalog) -> Vec<BrokenComponent> {
    let broken = catalog.broken.iter().map(|(component, problems)| BrokenComponent {
        catalog: catalog.name.clone(),
        component: component.clone(),
        path: path.to_owned(),
        problems: problems.clone().sorted(),
    });
    broken.collect()
}
