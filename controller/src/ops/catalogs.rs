//! Component definitions, read once at the start.

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

/// Why a catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or the folder cannot be read.
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
        /// Everything that is wrong with it.
        problems: Problems,
    },
    /// Two files have one name for their catalog.
    #[error("{} is a second catalog of the name {name}", path.display())]
    Twice {
        /// The later file.
        path: PathBuf,
        name: CatalogName,
    },
}

impl Catalogs {
    /// Reads every `*.yaml` of a folder.
    ///
    /// # Errors
    /// The first file that cannot be used.
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

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.catalogs.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.catalogs.is_empty()
    }

    /// The catalog that a specification names.
    pub(super) fn of(&self, spec: &TenantSpec) -> Result<&Catalog, Problem> {
        self.catalogs.get(&spec.catalog).ok_or_else(|| {
            let problem = spec.problem("catalog", format!("there is no catalog {}", spec.catalog));
            problem.suggest(spec.catalog.as_str(), self.catalogs.keys().map(AsRef::as_ref))
        })
    }

    /// Problems with roles that no component of any catalog asks for.
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
/// That it cannot be read, or everything that is wrong with it.
pub fn read_file(path: &Path) -> Result<Catalog, CatalogError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CatalogError::Read { path: path.to_owned(), source })?;
    Catalog::parse(&text)
        .map_err(|problems| CatalogError::Invalid { path: path.to_owned(), problems })
}
