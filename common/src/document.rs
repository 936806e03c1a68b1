//! Documents: data that outlives a process or crosses a wire.
//!
//! Every document is a JSON object whose first field is the version of its
//! kind. A program reads what its own release or an earlier one wrote; of a
//! later one it says so. Fields that hold their default are not written, and
//! fields that are not known here are passed over, so a document can gain a
//! field without a new version. Only inside a workload is every field known or
//! the workload refused: what it asks for must not be left out in silence.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod catalog;
pub mod spec;
mod v1;
mod verbatim;

pub use self::v1::feature::{Feature, UnknownFeature};
pub use self::v1::share::{Share, Unreadable};
pub use self::v1::{assignment, instance, report};
pub use self::verbatim::Verbatim;

/// A kind of document.
pub trait Document: Serialize + DeserializeOwned {
    /// What it is, as a noun phrase for messages: "an instance document".
    const KIND: &'static str;

    /// The version that is written; `None` for a part of a document, which has
    /// the version of the whole.
    const VERSION: Option<u32>;
}

/// Why a text is not read as a document.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not say its version, so none of these programs wrote it.
    #[error("this is not {kind}: it does not say its version")]
    Foreign { kind: &'static str },
    /// A later release wrote it.
    #[error("this is {kind} of version {found}, and this release reads up to version {known}")]
    Newer {
        kind: &'static str,
        found: u32,
        /// The highest version known here.
        known: u32,
    },
    /// It does not have the form of its kind.
    #[error("this is not {kind}")]
    Malformed { kind: &'static str, source: serde_json::Error },
}

impl ReadError {
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

/// The text of a document: one line of JSON, its version first.
#[must_use]
pub fn write<T: Document>(document: &T) -> String {
    let text = serde_json::to_string(document)
        .expect("documents have text as keys and no serializer that fails");
    let Some(version) = T::VERSION else { return text };
    let fields = text.strip_prefix('{').expect("a document is a JSON object");
    match fields {
        "}" => format!("{{\"version\":{version}}}"),
        fields => format!("{{\"version\":{version},{fields}"),
    }
}

/// Reads a document by the version that it says.
///
/// # Errors
/// [`ReadError`].
pub fn read<T: Document>(text: &str) -> Result<T, ReadError> {
    if let Some(known) = T::VERSION {
        let Versioned { version } =
            serde_json::from_str(text).map_err(ReadError::malformed::<T>)?;
        match version {
            0 => return Err(ReadError::Foreign { kind: T::KIND }),
            found if found > known => {
                return Err(ReadError::Newer { kind: T::KIND, found, known });
            }
            // There is one version yet; the next one converts from it here.
            _ => {}
        }
    }
    serde_json::from_str(text).map_err(ReadError::malformed::<T>)
}

/// Whether a field holds its default, and so is not written.
#[must_use]
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
