//! A value together with the exact bytes that it was written to or read from.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Document, ReadError};
use crate::id::ContentHash;
use crate::text::error::chain;

/// A value of type `T`, its bytes as a document, and their SHA-256.
///
/// The bytes are written once, by the program that makes the value
/// ([`Verbatim::seal`]), or kept as they were received ([`Verbatim::read`]). They
/// are passed on unchanged and never written again from the value. A program that
/// knows fewer fields than the one that wrote the bytes therefore passes on all of
/// them and computes the same hash.
///
/// Clones share one allocation. Two values are equal if their bytes are.
pub struct Verbatim<T>(Arc<Inner<T>>);

struct Inner<T> {
    value: T,
    text: Box<RawValue>,
    hash: ContentHash,
}

impl<T: Document> Verbatim<T> {
    /// Writes the value as a document. No other function makes bytes.
    #[must_use]
    pub fn seal(value: T) -> Self {
        let text = RawValue::from_string(super::write(&value)).expect("a written document is JSON");
        Self::new(value, text)
    }

    /// Returns a changed copy with bytes of its own.
    #[must_use]
    pub fn edited(&self, edit: impl FnOnce(&mut T)) -> Self
    where
        T: Clone,
    {
        let mut value = self.0.value.clone();
        edit(&mut value);
        Self::seal(value)
    }

    /// Reads a document and keeps its bytes.
    ///
    /// # Errors
    /// Returns [`ReadError`] for a later version and for what is no document of this kind.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let raw = serde_json::from_str(text).map_err(ReadError::malformed::<T>)?;
        Self::from_raw(raw)
    }

    pub(super) fn from_raw(text: Box<RawValue>) -> Result<Self, ReadError> {
        let value = super::read(text.get())?;
        Ok(Self::new(value, text))
    }

    /// Takes a value with the text that it was read from.
    pub(super) fn new(value: T, text: Box<RawValue>) -> Self {
        let hash = ContentHash::of(text.get().as_bytes());
        Self(Arc::new(Inner { value, text, hash }))
    }
}

impl<T> Verbatim<T> {
    /// Returns the bytes, which are UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text.get()
    }

    pub(super) fn raw(&self) -> &RawValue {
        &self.0.text
    }

    /// Returns the SHA-256 of the bytes.
    #[must_use]
    pub fn hash(&self) -> &ContentHash {
        &self.0.hash
    }
}

impl<T> Clone for Verbatim<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Verbatim<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> PartialEq for Verbatim<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.hash == other.0.hash
    }
}

impl<T> Eq for Verbatim<T> {}

impl<T: fmt::Debug> fmt::Debug for Verbatim<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

impl<T> Serialize for Verbatim<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.text.serialize(serializer)
    }
}

impl<'de, T: Document> Deserialize<'de> for Verbatim<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(text).map_err(|error| serde::de::Error::custom(chain(&error)))
    }
}
