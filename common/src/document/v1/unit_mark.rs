//! Our mark in a unit file or drop-in: keys of the section `[Unit]` that systemd ignores.

use crate::id::{ComponentName, ContentHash, TenantId, UnitName};

const INSTANCE_KEY: &str = "X-Oml-Instance=";
const HASH_KEY: &str = "X-Oml-Hash=";
/// The unit that the file is for: a copy of the file is for another one.
const UNIT_KEY: &str = "X-Oml-Unit=";

/// Our mark in a file.
///
/// It has no version of its own: these keys with these meanings are version 1. A later release
/// may add keys, which this one ignores, and gives none of these another meaning. The rest of
/// the file is not read: only its hash is compared with that of the mark, so another text of a
/// later release is replaced, which restarts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitMark {
    pub tenant: TenantId,
    pub component: ComponentName,
    /// The unit that the file was written for; none if release 0.1.0 wrote it, or if somebody
    /// changed it to what is no unit's name.
    pub unit: Option<UnitName>,
    /// The hash that the file states.
    pub hash: ContentHash,
    /// The text matches the hash, so nobody changed it.
    pub is_whole: bool,
}

impl UnitMark {
    /// Returns the lines of the mark, without that of the hash, which [`UnitMark::seal`] adds.
    #[must_use]
    pub fn lines(tenant: &TenantId, component: &ComponentName, unit: &UnitName) -> String {
        format!("{INSTANCE_KEY}{tenant}/{component}\n{UNIT_KEY}{unit}\n")
    }

    /// Adds the line with the hash of a text that has the other lines of the mark.
    #[must_use]
    pub fn seal(text: &str) -> String {
        let hash = ContentHash::of(text.as_bytes());
        let (before, rest) = text.split_once(INSTANCE_KEY).unwrap_or((text, ""));
        format!("{before}{HASH_KEY}{hash}\n{INSTANCE_KEY}{rest}")
    }

    /// Reads the mark of a file; none if it has no mark. The first line is not part of the mark,
    /// so files of earlier releases are recognised.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let (tenant, component) = value(INSTANCE_KEY)?.split_once('/')?;
        let hash: ContentHash = value(HASH_KEY)?.parse().ok()?;
        let written = text.replacen(&format!("{HASH_KEY}{hash}\n"), "", 1);
        Some(Self {
            tenant: tenant.parse().ok()?,
            component: component.parse().ok()?,
            unit: value(UNIT_KEY).and_then(|unit| unit.parse().ok()),
            is_whole: ContentHash::of(written.as_bytes()) == hash,
            hash,
        })
    }

    /// Returns true for the line that holds the hash.
    #[must_use]
    pub fn is_hash_line(line: &str) -> bool {
        line.starts_with(HASH_KEY)
    }
}

#[cfg(test)]
mod tests;
