//! The catalogs of component definitions. They are read once, at the start. A file that
//! cannot be used stops neither the controller nor the tenants of the other catalogs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use oml_common::document::catalog::{CATALOG_FILE, Catalog, CatalogSources};
use oml_common::document::releases::Releases;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{CatalogName, ContentHash, RoleName};
use oml_common::text::problem::{Problem, Problems};
use oml_daemon::catalog_files::{self, Place};

mod broken_component;
mod check;
mod error;
mod releases;

pub use self::broken_component::BrokenComponent;
pub use self::check::{Checked, check};
pub use self::error::CatalogError;

/// All catalogs, by name.
#[derive(Debug, Default)]
pub struct Catalogs {
    catalogs: BTreeMap<CatalogName, Loaded>,
    /// The releases of each catalog.
    releases: BTreeMap<CatalogName, Releases>,
    broken: Vec<BrokenCatalog>,
    broken_components: Vec<BrokenComponent>,
}

/// A catalog as it was read.
#[derive(Debug)]
pub struct Loaded {
    pub catalog: Catalog,
    /// The hash of all texts that it is made of.
    pub content: ContentHash,
    /// Whether it is only included by others.
    pub is_part: bool,
}

/// A file that cannot be used as a catalog.
#[derive(Debug)]
pub struct BrokenCatalog {
    /// The name that the file gives to its catalog or, if it gives none, its own name. There is
    /// none if another file has a catalog of that name that can be used.
    pub name: Option<CatalogName>,
    pub error: CatalogError,
}

impl BrokenCatalog {
    /// Whether the file should contain the catalog of this name. A file that was cut short may
    /// give only a part of it.
    fn should_be(&self, name: &CatalogName) -> bool {
        let of_file = own_name(self.error.path());
        [&self.name, &of_file].into_iter().any(|known| known.as_ref() == Some(name))
    }
}

impl std::fmt::Display for BrokenCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "catalog {name} cannot be used")?,
            None => f.write_str("a catalog cannot be used")?,
        }
        write!(f, ": {}", self.error.summary())
    }
}

impl Catalogs {
    /// Reads every `*.yaml` file of a folder, and every folder in it with a catalog of its own. What
    /// cannot be used is kept with its reason. Parts, which are only included, are none of them.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        let mut read = Self::default();
        let mut named: BTreeMap<CatalogName, Vec<(PathBuf, Loaded)>> = BTreeMap::new();
        for path in read.files(folder) {
            if releases::is_releases(&path) {
                read.broken.extend(orphan(&path));
                continue;
            }
            // Every path is that of an entry of the folder.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match load(&Place { folder: folder.to_owned(), name }, &path) {
                Ok(loaded) if loaded.is_part => {}
                Ok(loaded) => {
                    named.entry(loaded.catalog.name.clone()).or_default().push((path, loaded));
                }
                Err((error, name)) => read.broken.push(BrokenCatalog { name, error }),
            }
        }
        for (name, mut files) in named {
            // It is not known which of two is the right one.
            if files.len() == 1 {
                files.drain(..).for_each(|(path, catalog)| read.add(&path, catalog));
                continue;
            }
            let mut paths = files.into_iter().map(|(path, _)| path);
            let first = paths.next().unwrap_or_default();
            read.broken.extend(paths.map(|path| {
                let error = CatalogError::Twice { path, first: first.clone(), name: name.clone() };
                BrokenCatalog { name: Some(name.clone()), error }
            }));
        }
        // A broken copy of a catalog does not mean that the catalog cannot be used.
        for broken in &mut read.broken {
            broken.name.take_if(|name| read.catalogs.contains_key(name));
        }
        read
    }

    /// Adds a catalog and its releases. Without these, nobody would know what must not be done
    /// with it, so a mistake in them keeps the catalog out.
    fn add(&mut self, path: &Path, loaded: Loaded) {
        let name = loaded.catalog.name.clone();
        match releases::read_beside(path, &loaded.catalog) {
            Ok(releases) => {
                self.broken_components.extend(broken_component::all(path, &loaded.catalog));
                self.releases.insert(name.clone(), releases);
                self.catalogs.insert(name, loaded);
            }
            Err(error) => self.broken.push(BrokenCatalog { name: Some(name), error }),
        }
    }

    /// Returns the releases of the catalog that a specification names; none if it has none.
    pub(super) fn releases_of(&self, spec: &TenantSpec) -> &Releases {
        static NONE: Releases = Releases {
            published: BTreeMap::new(),
            together: Vec::new(),
            apart: Vec::new(),
            one_way: Vec::new(),
        };
        self.releases.get(&spec.catalog).unwrap_or(&NONE)
    }

    /// Returns the files of the folder, in the order of their names.
    fn files(&mut self, folder: &Path) -> Vec<PathBuf> {
        let entries = folder.read_dir();
        let entries = entries.and_then(|all| all.map(|e| Ok(e?.path())).collect::<io::Result<_>>());
        let mut paths: Vec<PathBuf> = entries.unwrap_or_else(|source| {
            let error = CatalogError::Read { path: folder.to_owned(), source };
            self.broken.push(BrokenCatalog { name: None, error });
            Vec::new()
        });
        let is_catalog = |path: &PathBuf| {
            let is_file = path.extension().is_some_and(|extension| extension == "yaml");
            is_file || path.join(CATALOG_FILE).symlink_metadata().is_ok()
        };
        paths.retain(is_catalog);
        paths.sort();
        paths
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

    /// Returns all catalogs, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Catalog> {
        self.catalogs.values().map(|loaded| &loaded.catalog)
    }

    /// Returns the files that cannot be used, each with the reason.
    #[must_use]
    pub fn broken(&self) -> &[BrokenCatalog] {
        &self.broken
    }

    /// Returns the components that cannot be used, each with the reason. Those of a catalog that
    /// cannot be used are none of them.
    #[must_use]
    pub fn broken_components(&self) -> &[BrokenComponent] {
        &self.broken_components
    }

    /// Returns the catalogs with mistakes that earlier releases did not refuse, each with the first of
    /// them. They are used.
    pub fn tolerated(&self) -> impl Iterator<Item = (&CatalogName, String)> {
        self.catalogs.values().filter_map(|Loaded { catalog, .. }| {
            let all: Problems = catalog.tolerated.values().flat_map(|own| own.0.clone()).collect();
            (!all.0.is_empty()).then(|| (&catalog.name, all.sorted().first_line()))
        })
    }

    /// Returns a line for every catalog and every component that cannot be used.
    pub fn reports(&self) -> impl Iterator<Item = String> {
        let components = self.broken_components.iter().map(ToString::to_string);
        self.broken.iter().map(ToString::to_string).chain(components)
    }

    /// Returns the catalog that a specification names, or a problem if it cannot be used or
    /// there is none of that name.
    pub(super) fn of(&self, spec: &TenantSpec) -> Result<&Loaded, Problem> {
        let name = &spec.catalog;
        if let Some(loaded) = self.catalogs.get(name) {
            return Ok(loaded);
        }
        if let Some(broken) = self.broken.iter().find(|broken| broken.should_be(name)) {
            let hint = broken.error.hint();
            let message = format!("catalog {name} cannot be used: {}", broken.error.summary());
            return Err(spec.problem("catalog", message).hint(hint));
        }
        let unnamed = self.broken.iter().find(|broken| broken.name.is_none());
        let because = unnamed.map(|broken| format!("; {broken}")).unwrap_or_default();
        let problem = spec.problem("catalog", format!("there is no catalog {name}{because}"));
        Err(problem.suggest(name.as_str(), self.catalogs.keys().map(AsRef::as_ref)))
    }

    /// Returns a problem for every role that no component of any catalog needs.
    pub(super) fn check_roles(&self, roles: &[RoleName]) -> Problems {
        let components = self.iter().flat_map(|catalog| catalog.components.values());
        let mut known: Vec<&str> =
            components.flat_map(|component| &component.roles).map(AsRef::as_ref).collect();
        known.sort_unstable();
        known.dedup();
        let because = match self.reports().next() {
            Some(broken) => format!(" that can be used; {broken}"),
            None => String::new(),
        };
        let unknown = roles.iter().filter(|role| !known.contains(&role.as_str()));
        unknown
            .map(|role| {
                let message =
                    format!("no component of any catalog{because} is for the role {role}");
                Problem::new("role", message).suggest(role.as_str(), known.iter().copied())
            })
            .collect()
    }
}

/// Reads one catalog or part: a file, or a folder. The components of a catalog that have mistakes are
/// set apart with them.
///
/// # Errors
/// Returns an error if it cannot be read or has other mistakes, with all mistakes in it.
fn read_file(path: &Path) -> Result<Loaded, CatalogError> {
    let place =
        Place::of(path).map_err(|source| CatalogError::Read { path: path.to_owned(), source })?;
    made_of(catalog_files::read_alone(&place), path, usable).map_err(|(error, _name)| error)
}

/// Returns an error for a file of releases without a catalog.
fn orphan(path: &Path) -> Option<BrokenCatalog> {
    let catalog = releases::catalog_of(path)?;
    let is_missing = !catalog.exists();
    let error = CatalogError::Orphan { path: path.to_owned(), catalog };
    is_missing.then_some(BrokenCatalog { name: None, error })
}

/// The error of a file, and the name of the catalog that it should be.
type Unusable = (CatalogError, Option<CatalogName>);

fn load(place: &Place, path: &Path) -> Result<Loaded, Unusable> {
    made_of(catalog_files::read(place), path, usable)
}

/// Makes the catalog of which those components count that can be used. A part is no catalog, so all
/// its mistakes are reported as its own.
fn usable(sources: &CatalogSources) -> Result<Catalog, Problems> {
    if sources.is_part() { sources.catalog() } else { sources.usable() }
}

/// Makes a catalog of its texts, as `read` reads them.
fn made_of(
    sources: io::Result<CatalogSources>,
    path: &Path,
    read: fn(&CatalogSources) -> Result<Catalog, Problems>,
) -> Result<Loaded, Unusable> {
    let sources = sources
        .map_err(|source| (CatalogError::Read { path: path.to_owned(), source }, own_name(path)))?;
    let made =
        |catalog| Loaded { catalog, content: sources.content_hash(), is_part: sources.is_part() };
    read(&sources).map(made).map_err(|problems| {
        let error = CatalogError::Invalid { path: path.to_owned(), problems };
        let text = sources.first_text().unwrap_or_default();
        (error, name_in(text).or_else(|| own_name(path)))
    })
}

/// Returns the name that a text gives to its catalog, although it is not one.
fn name_in(text: &str) -> Option<CatalogName> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix("catalog:"));
    let value = values.next()?.split(" #").next().unwrap_or_default();
    value.trim().trim_matches(['"', '\'']).parse().ok()
}

/// Returns the name of the catalog that a file of that name should contain.
fn own_name(path: &Path) -> Option<CatalogName> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".yaml").unwrap_or(name).parse().ok()
}

#[cfg(test)]
mod tests;
