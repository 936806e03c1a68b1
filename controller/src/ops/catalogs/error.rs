//! Why a catalog cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use oml_common::id::CatalogName;
use oml_common::text::error::chain;
use oml_common::text::problem::Problems;

/// The error of a catalog that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file or the folder could not be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file is not a catalog.
    #[error("{} is not a catalog:\n{problems}", path.display())]
    Invalid {
        path: PathBuf,
        /// All mistakes in it.
        problems: Problems,
    },
    /// The file beside a catalog has no releases that can be used.
    #[error("{} has no releases that can be used:\n{problems}", path.display())]
    Releases {
        path: PathBuf,
        /// All mistakes in it.
        problems: Problems,
    },
    /// A file of releases has no catalog beside it.
    #[error("{} has the releases of a catalog that is not there: there is no {}", path.display(), catalog.display())]
    Orphan { path: PathBuf, catalog: PathBuf },
    /// Two files contain catalogs of the same name.
    #[error("{} is a second catalog of the name {name}; the first is {}", path.display(), first.display())]
    Twice {
        /// The later file.
        path: PathBuf,
        first: PathBuf,
        name: CatalogName,
    },
    /// Both a catalog and its releases have mistakes.
    #[error("{catalog}\n{}", chain(&**releases))]
    Both { catalog: Box<CatalogError>, releases: Box<CatalogError> },
}

impl CatalogError {
    /// Returns what is wrong in one line, with the first mistake only.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Read { path, source } => format!("cannot read {}: {source}", path.display()),
            Self::Invalid { path, problems } => {
                format!("{} is not a catalog: {}", path.display(), problems.first_line())
            }
            Self::Releases { path, problems } => {
                let first = problems.first_line();
                format!("{} has no releases that can be used: {first}", path.display())
            }
            Self::Twice { .. } | Self::Orphan { .. } => self.to_string(),
            Self::Both { catalog, .. } => catalog.summary(),
        }
    }

    /// Returns what to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            // Each of the two is a catalog by itself.
            Self::Twice { .. } => {
                "remove one of the two on the controller's host, and restart omlcontroller"
                    .to_owned()
            }
            Self::Read { path, .. }
            | Self::Invalid { path, .. }
            | Self::Releases { path, .. }
            | Self::Orphan { path, .. } => format!(
                "see omlcontroller catalog check {} on the controller's host, correct the file, and restart omlcontroller",
                path.display()
            ),
            Self::Both { catalog, .. } => catalog.hint(),
        }
    }

    /// Returns the file or folder that cannot be used.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::Invalid { path, .. }
            | Self::Releases { path, .. }
            | Self::Orphan { path, .. }
            | Self::Twice { path, .. } => path,
            Self::Both { catalog, .. } => catalog.path(),
        }
    }
}
