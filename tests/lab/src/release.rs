//! The releases of Debian that a host of a lab can run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cache::{Cache, FOLDER};
use crate::debian::{PackageLayer, System};
use crate::error::{LabError, Result};
use crate::recipes::{BOOKWORM, HOST, HOST_TRIXIE, TRIXIE};

/// A release of Debian as the system of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Debian {
    /// Debian 12, with systemd 252 and Docker 20.10.
    #[default]
    Bookworm,
    /// Debian 13, with systemd 257 and Docker 26.1.
    Trixie,
}

impl Debian {
    /// Every release, the usual one first.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// Returns the number by which people know the release.
    pub fn number(self) -> &'static str {
        match self {
            Self::Bookworm => "12",
            Self::Trixie => "13",
        }
    }

    fn recipe(self) -> (System, PackageLayer) {
        match self {
            Self::Bookworm => (BOOKWORM, HOST),
            Self::Trixie => (TRIXIE, HOST_TRIXIE),
        }
    }

    /// Opens the cache for what this release needs. The usual release shares its lock with the images. Any other has a
    /// lock of its own, so that nobody who does without it waits until it is built.
    pub(crate) fn open_cache(self) -> Result<Cache> {
        match self {
            Self::Bookworm => Cache::open(),
            Self::Trixie => Cache::open_with_lock(TRIXIE.name),
        }
    }

    /// Returns true if the system of a host with this release has been built.
    pub(crate) fn is_cached(self) -> bool {
        let (system, host) = self.recipe();
        let entries = [(system.name, system.stamp()), (host.name, host.stamp(&system))];
        entries
            .iter()
            .all(|(name, stamp)| Path::new(FOLDER).join(format!("{name}-{stamp}")).exists())
    }

    /// Returns the layers of a host's root, the topmost first, and builds them if they are missing.
    pub(crate) fn build(self, cache: &Cache) -> Result<Vec<PathBuf>> {
        let (system, host) = self.recipe();
        Ok(vec![host.build(cache, &system)?, system.build(cache)?])
    }
}

impl fmt::Display for Debian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Debian {}", self.number())
    }
}

impl FromStr for Debian {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|release| release.number() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::number).join(" or ");
            LabError::Invalid(format!(
                "{text:?} is no release of Debian that the lab has; use {known}"
            ))
        })
    }
}

#[cfg(test)]
mod tests;
