//! All records at once, as a backup holds them: each value in the bytes that
//! the store has, read and changed only by those who know its type.

use std::collections::BTreeMap;

use oml_common::document::{self, Document};
use oml_common::text::error::chain;
use serde_json::value::RawValue;

use super::{Prefix, RecordKey, Result};
use crate::store::StoreError;

/// All records, without a store.
#[derive(Debug, Default)]
pub struct Archive {
    records: BTreeMap<String, Box<RawValue>>,
}

impl Archive {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a record, or replaces it.
    pub fn insert(&mut self, key: String, value: Box<RawValue>) {
        self.records.insert(key, value);
    }

    /// Every record in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.records.iter().map(|(key, value)| (key.as_str(), &**value))
    }

    pub(super) fn into_records(self) -> impl Iterator<Item = (String, Box<RawValue>)> {
        self.records.into_iter()
    }

    /// Reads one value.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn get<T: Document>(&self, key: &RecordKey<T>) -> Result<Option<T>> {
        let found = self.records.get(&key.text);
        found.map(|value| read(&key.text, value)).transpose()
    }

    /// Takes a record out.
    pub fn remove<T>(&mut self, key: &RecordKey<T>) {
        self.records.remove(&key.text);
    }

    /// Takes every record under a prefix out.
    pub fn remove_all<T>(&mut self, prefix: &Prefix<T>) {
        self.records.retain(|key, _| !key.starts_with(&prefix.text));
    }

    /// What can be read under a prefix, with the rest of its keys.
    #[must_use]
    pub fn list_lossy<T: Document>(&self, prefix: &Prefix<T>) -> Vec<(String, T)> {
        let found = self.records.iter().filter(|(key, _)| key.starts_with(&prefix.text));
        let readable = found.filter_map(|(key, value)| {
            Some((key[prefix.text.len()..].to_owned(), read(key, value).ok()?))
        });
        readable.collect()
    }

    /// Changes every value under a prefix that can be read; `change` is given
    /// the rest of its key too. What cannot be read stays as it is: the
    /// controller says so where it matters.
    pub fn update<T>(&mut self, prefix: &Prefix<T>, mut change: impl FnMut(&str, T) -> T)
    where
        T: Document,
    {
        for (key, value) in &mut self.records {
            let Some(rest) = key.strip_prefix(&prefix.text) else { continue };
            match read(key, value) {
                Ok(present) => {
                    *value = RawValue::from_string(document::write(&change(rest, present)))
                        .expect("a written document is JSON");
                }
                Err(error) => {
                    tracing::warn!(%error, "a record stays as it is: it cannot be read");
                }
            }
        }
    }
}

fn read<T: Document>(key: &str, value: &RawValue) -> Result<T> {
    document::read(value.get())
        .map_err(|error| StoreError::Damaged { key: key.into(), reason: chain(&error) })
}

#[cfg(test)]
mod tests;
