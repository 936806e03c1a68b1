//! Documents: data that outlives a process or crosses a wire.
//!
//! Every document is a JSON object whose first field is the version of its
//! kind. A program reads documents of its own and of earlier releases, and
//! refuses those of a later version with an error that says so. A field that
//! holds its default (absent, empty, not set) is not written, and an unknown
//! field is ignored, so a document can gain a field without a new version. A
//! workload is the exception: one with an unknown field is refused, because it
//! must not run without something that it asks for. Only a container that exists
//! already is held by such a workload ([`instance::HeldInstance`]): it was created
//! with everything that the workload asks for.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::text::error::chain;

pub mod catalog;
pub mod policy;
pub mod releases;
pub mod schema;
pub mod secret_use;
pub mod spec;
pub mod tls_secret;
mod v1;
mod verbatim;

pub use self::v1::feature::{Feature, UnknownFeature};
pub use self::v1::share::{Share, Unreadable};
pub use self::v1::{
    acme, assignment, backup, bundle, cluster, container_labels, host_notes, host_policy, instance,
    left_out, node, operation, plan, report, revision, rollout, run_labels, secret, status,
    tls_facts, token, unit_mark, update,
};
pub use self::verbatim::Verbatim;

/// A kind of document.
///
/// A kind comes to a second version where a field would change its meaning or its form.
/// Four things make that safe for programs of the release before:
/// - [`Document::from_version`] reads version 1 and converts it.
/// - [`Document::version_needed`] gives version 1 for every value that version 1 can carry,
///   and [`Document::to_version`] writes it in that form. Only what is new is then out of
///   reach for an earlier release.
/// - If agents read the kind, version 2 is a [`Feature`], which [`instance::Instance::needs`]
///   returns for a value that version 1 cannot carry. A plan with such a value is then
///   refused for an older agent by that word, where it would be held on the host.
/// - The bytes of version 1 stay pinned by their fixtures; version 2 has fixtures of its own.
pub trait Document: Serialize + DeserializeOwned {
    /// The name of the kind in messages, with its article: "an instance document".
    const KIND: &'static str;

    /// The highest version that this release reads and writes; `None` for a part of a document, which
    /// has the version of the whole.
    const VERSION: Option<u32>;

    /// Reads a document of `version`, which is between 1 and [`Document::VERSION`].
    ///
    /// A kind that has had earlier versions overrides this: it reads each of them in the
    /// form of that version and converts it to the present form.
    ///
    /// # Errors
    /// Returns an error if the text does not have the form of that version.
    fn from_version(version: u32, text: &str) -> serde_json::Result<Self> {
        if Self::VERSION != Some(version) {
            let what = format!("this release does not convert version {version}");
            return Err(serde::de::Error::custom(what));
        }
        serde_json::from_str(text)
    }

    /// The lowest version that can carry this value, which is the one that is written.
    fn version_needed(&self) -> Option<u32> {
        Self::VERSION
    }

    /// Writes the fields of the document in the form of `version`, which is what
    /// [`Document::version_needed`] gives.
    ///
    /// A kind whose earlier version has another form overrides this.
    ///
    /// # Errors
    /// Returns an error if a serializer fails, which those of documents do not.
    fn to_version(&self, _version: Option<u32>) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// The error of reading a document.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The text has no version, so none of our programs wrote it.
    #[error("cannot be read as {kind}: it has no version")]
    Foreign { kind: &'static str },
    /// A later release wrote the text.
    #[error(
        "{kind} has version {found}, and this release reads versions up to {known}; install a newer release"
    )]
    Newer {
        kind: &'static str,
        found: u32,
        /// The highest version that this release reads.
        known: u32,
    },
    /// The text does not have the form of its kind.
    #[error("cannot be read as {kind}")]
    Malformed { kind: &'static str, source: serde_json::Error },
}

impl ReadError {
    /// Returns true if only a later release can read the text.
    #[must_use]
    pub fn is_of_later_release(&self) -> bool {
        self.of_later_release().is_some()
    }

    /// Returns why only a later release can read the text; `None` for a text that is damaged
    /// or not ours. A text that is whole JSON with a version of ours, and yet has not the form
    /// of its kind, holds a word that a later release added.
    #[must_use]
    pub fn of_later_release(&self) -> Option<String> {
        match self {
            Self::Newer { kind, found, known } => Some(format!(
                "{kind} has version {found}, and this release reads versions up to {known}"
            )),
            Self::Malformed { source, .. } if source.is_data() => Some(chain(self)),
            Self::Malformed { .. } | Self::Foreign { .. } => None,
        }
    }

    fn malformed<T: Document>(source: serde_json::Error) -> Self {
        Self::Malformed { kind: T::KIND, source }
    }
}

/// The one field that every version of every kind has.
#[derive(Deserialize)]
struct Versioned {
    #[serde(default)]
    version: u32,
}

/// Writes a document as one line of JSON, the version first, in the lowest version that
/// can carry it.
#[must_use]
pub fn write<T: Document>(document: &T) -> String {
    let version = document.version_needed();
    let text = document
        .to_version(version)
        .expect("documents have text as keys and no serializer that fails");
    let Some(version) = version else { return text };
    let fields = text.strip_prefix('{').expect("a document is a JSON object");
    match fields {
        "}" => format!("{{\"version\":{version}}}"),
        fields => format!("{{\"version\":{version},{fields}"),
    }
}

/// Reads a document of any version up to the one of this release.
///
/// # Errors
/// Returns [`ReadError`] for a later version and for what is no document of this kind.
pub fn read<T: Document>(text: &str) -> Result<T, ReadError> {
    match version_of::<T>(text)? {
        None => serde_json::from_str(text),
        Some(version) => T::from_version(version, text),
    }
    .map_err(ReadError::malformed::<T>)
}

/// Returns the version that a text has, if its kind has versions.
fn version_of<T: Document>(text: &str) -> Result<Option<u32>, ReadError> {
    let Some(known) = T::VERSION else { return Ok(None) };
    let Versioned { version } = serde_json::from_str(text).map_err(ReadError::malformed::<T>)?;
    check_version::<T>(version, known).map(Some)
}

/// Reads a document whose version stands elsewhere in its text; 0 if it has none.
fn read_version<T: Document>(version: u32, text: &str) -> Result<T, ReadError> {
    let version = check_version::<T>(version, T::VERSION.unwrap_or_default())?;
    T::from_version(version, text).map_err(ReadError::malformed::<T>)
}

fn check_version<T: Document>(version: u32, known: u32) -> Result<u32, ReadError> {
    match version {
        0 => Err(ReadError::Foreign { kind: T::KIND }),
        found if found > known => Err(ReadError::Newer { kind: T::KIND, found, known }),
        found => Ok(found),
    }
}

/// Whether a field holds its default and is therefore not written.
#[must_use]
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
