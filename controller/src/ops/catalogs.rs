//! The catalogs of component definitions. They are read once, at the start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oml_common::document::catalog::Catalog;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{CatalogName, RoleName};
use oml_common::text::problem::{Problem, Problems};

/// All catalogs, by name.
#[derive(Debug, Default)]
pub struct Catalogs {
    catalogs: BTreeMap<CatalogName, Catalog>,
}

/// The error of a catalog that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or the folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A file is not a catalog.
    #[error("{} is not a catalog:\n{problems}", path.display())]
    Invalid {
        path: PathBuf,
        /// All mistakes in it.
        problems: Problems,
    },
    /// Two files contain catalogs of the same name.
    #[error("{} is a second catalog of the name {name}", path.display())]
    Twice {
        /// The later file.
        path: PathBuf,
        name: CatalogName,
    },
}

impl Catalogs {
    /// Reads every `*.yaml` file of a folder.
    ///
    /// # Errors
    /// Returns [`CatalogError`] for the first file that cannot be used.
    pub fn load(folder: &Path) -> Result<Self, CatalogError> {
        let unreadable = |source| CatalogError::Read { path: folder.to_owned(), source };
        let entries = folder.read_dir().map_err(unreadable)?;
        let paths: Result<Vec<PathBuf>, _> = entries.map(|e| e.map(|e| e.path())).collect();
        let mut paths = paths.map_err(unreadable)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        let mut catalogs = BTreeMap::new();
        for path in paths {
            let catalog = read_file(&path)?;
            let name = catalog.name.clone();
            if catalogs.insert(name.clone(), catalog).is_some() {
                return Err(CatalogError::Twice { path, name });
            }
        }
        Ok(Self { catalogs })
    }

    /// Returns the number of catalogs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.catalogs.len()
    }

    /// Returns whether there is no catalog.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.catalogs.is_empty()
    }

    /// Returns the catalog that a specification names, or a problem if there is none of
    /// that name.
    pub(super) fn of(&self, spec: &TenantSpec) -> Result<&Catalog, Problem> {
        self.catalogs.get(&spec.catalog).ok_or_else(|| {
            let problem = spec.problem("catalog", format!("there is no catalog {}", spec.catalog));
            problem.suggest(spec.catalog.as_str(), self.catalogs.keys().map(AsRef::as_ref))
        })
    }

    /// Returns a problem for every role that no component of any catalog needs.
    pub(super) fn check_roles(&self, roles: &[RoleName]) -> Problems {
        let components = self.catalogs.values().flat_map(|catalog| catalog.components.values());
        let mut known: Vec<&str> =
            components.flat_map(|component| &component.roles).map(AsRef::as_ref).collect();
        known.sort_unstable();
        known.dedup();
        let unknown = roles.iter().filter(|role| !known.contains(&role.as_str()));
        unknown
            .map(|role| {
                let message = format!("no component of any catalog is for the role {role}");
                Problem::new("role", message).suggest(role.as_str(), known.iter().copied())
            })
            .collect()
    }
}

/// Reads one catalog.
///
/// # Errors
/// Returns an error if the file cannot be read or is not a catalog, with all mistakes in
/// it.
pub fn read_file(path: &Path) -> Result<Catalog, CatalogError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CatalogError::Read { path: path.to_owned(), source })?;
    Catalog::parse(&text)
        .map_err(|problems| CatalogError::Invalid { path: path.to_owned(), problems })
}
