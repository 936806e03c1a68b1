//! What is said about versions, as people read it.

use std::fmt::{Display, Formatter, Result};

use crate::id::ComponentName;

use super::{OtherVersion, VersionRefusal, VersionStep, VersionWarning};

/// The number of differences from a release that are listed.
const LISTED_MAX: usize = 3;

impl VersionRefusal {
    /// Returns what to do instead.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NotTogether { .. } | Self::Apart { .. } => {
                "change them together, or make the change all the same with --force REASON"
            }
            Self::Back { .. } => {
                "put back what the earlier version can read first, then use --force REASON"
            }
            Self::Forward { .. } => {
                "convert what it has written first (dump and load it), then use --force REASON"
            }
        }
    }
}

impl Display for VersionStep {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {} -> {}", self.component, self.from, self.to)
    }
}

impl Display for VersionRefusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NotTogether { versions: [(a, a_version), (b, b_version)], because } => write!(
                f,
                "{b} {b_version} must have the same version as {a} {a_version}: {because}"
            ),
            Self::Apart { versions, because } => {
                let names: Vec<String> =
                    versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
                write!(f, "{} do not go together: {because}", names.join(" and "))
            }
            Self::Back { step, because, loses } => {
                write!(
                    f,
                    "{step} leads back over a step that only leads forward: {because}; it would lose {loses}"
                )
            }
            Self::Forward { step, because } => {
                write!(f, "{step} cannot read what is there: {because}")
            }
        }
    }
}

impl Display for VersionWarning {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unpublished { nearest, differences } => {
                let line = |it: &OtherVersion| {
                    format!("{} {} (not {})", it.component, it.published, it.is)
                };
                let mut listed: Vec<String> =
                    differences.iter().take(LISTED_MAX).map(line).collect();
                if differences.len() > LISTED_MAX {
                    listed.push(format!("{} more", differences.len() - LISTED_MAX));
                }
                write!(
                    f,
                    "these versions were not published together; the nearest release is {nearest}, with {}",
                    listed.join(", ")
                )
            }
            Self::NoWayBack { step, because, loses } => write!(
                f,
                "{step} has no way back, not even when its rollout fails: {because}; a way back would lose {loses}"
            ),
            Self::Uncertain { step, unordered: Some(version) } => write!(
                f,
                "{step} may lead over a step without a way back: {version} has no place in the order of versions (write TAG@sha256:… with a tag like those of its releases)"
            ),
            Self::Uncertain { step, unordered: None } => write!(
                f,
                "{step} may lead over a step without a way back: it is another image, and versions of different images cannot be compared"
            ),
            Self::Restored { components } => write!(
                f,
                "the controller was restored from a backup and does not know which versions of {} the hosts run: an earlier one may not read what they have written (docker ps on the hosts shows them)",
                listed(components)
            ),
            Self::UnknownCatalog { catalog } => write!(
                f,
                "catalog {catalog}, which this change leaves, cannot be used, so it is not known whether there is a way back from its versions"
            ),
            Self::NotCompared { catalog, components } => write!(
                f,
                "{} had another unit, container or image in catalog {catalog}, so it is not known whether this version reads what that one has written",
                listed(components)
            ),
            Self::Forced(refusal) => write!(f, "forced: {refusal}"),
        }
    }
}

fn listed(components: &[ComponentName]) -> String {
    let names: Vec<&str> = components.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}
