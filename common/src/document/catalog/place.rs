//! The places in a container at which something is mounted, so that nothing is in the way of
//! anything else.

use std::collections::BTreeMap;

use crate::decide::mount::{is_within, normalised};
use crate::document::instance::{Tmpfs, Volume};
use crate::id::SecretName;

/// The places in every container at which nothing of a catalog or a tenant can be mounted.
const RESERVED: [&str; 6] =
    ["/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// What is mounted into a container.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    volumes: &'a [Volume],
    tmpfs: &'a [Tmpfs],
    /// What is at the places of files and secrets, such as `where secret tls is`.
    others: BTreeMap<String, String>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(volumes: &'a [Volume], tmpfs: &'a [Tmpfs]) -> Self {
        Self { volumes, tmpfs, others: BTreeMap::new() }
    }

    /// Mounts something at a path. Returns why it cannot be there: something else is there, around
    /// it or in it.
    pub(crate) fn take(&mut self, path: &str, what: String) -> Option<String> {
        let place = normalised(path);
        let why = self.in_the_way(&place);
        self.others.insert(place, what);
        why
    }

    /// Whether something else than a volume is in the way of a path.
    pub(crate) fn is_taken(&self, path: &str) -> bool {
        let alone = Places { volumes: &[], tmpfs: self.tmpfs, others: self.others.clone() };
        alone.in_the_way(&normalised(path)).is_some()
    }

    /// Mounts a secret at a path, as [`Places::take`] does. Several variables may name it there.
    pub(crate) fn take_secret(&mut self, path: &str, name: &SecretName) -> Option<String> {
        let what = format!("where secret {name} is");
        if self.others.get(&normalised(path)) == Some(&what) {
            return None;
        }
        self.take(path, what)
    }

    fn in_the_way(&self, place: &str) -> Option<String> {
        let overlaps = |other: &str| {
            let other = normalised(other);
            is_within(place, &other) || is_within(&other, place)
        };
        if let Some(reserved) = RESERVED.iter().find(|reserved| overlaps(reserved)) {
            return Some(format!("cannot be mounted: {reserved} is the engine's own"));
        }
        if let Some((other, what)) = self.others.iter().find(|(other, _)| overlaps(other)) {
            return Some(format!("is in the way of {other}, {what}"));
        }
        if let Some(volume) = self.volumes.iter().find(|volume| overlaps(&volume.target)) {
            return Some(format!("is in the way of {}, where {} is", volume.target, volume.source));
        }
        let folder = self.tmpfs.iter().find(|folder| overlaps(&folder.path))?;
        Some(format!("is in the way of the folder in memory {}", folder.path))
    }
}
