//! All records in memory, as in a backup. Each value has the same bytes as in the
//! store, and is decoded only by code that knows its type.

use std::collections::BTreeMap;

use oml_common::document::backup::BackupLine;
use oml_common::document::{self, Document};
use serde_json::value::RawValue;

use super::{Prefix, RecordKey, Result};

/// A set of records in memory, by key.
#[derive(Debug, Default)]
pub struct Archive {
    records: BTreeMap<String, Box<RawValue>>,
}

impl Archive {
    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds or replaces a record.
    pub(super) fn insert(&mut self, key: String, value: Box<RawValue>) {
        self.records.insert(key, value);
    }

    /// Adds the record of a line of a backup. Of the last line, which has none, it returns the number of
    /// records that the backup should have.
    pub fn add(&mut self, line: BackupLine) -> Option<usize> {
        match line {
            BackupLine::Record { key, value } => {
                self.insert(key, value);
                None
            }
            BackupLine::End { records } => Some(records),
        }
    }

    /// Returns the lines of a backup after the first: every record in the order of the keys, and the
    /// number of them.
    pub fn lines(&self) -> impl Iterator<Item = BackupLine> {
        let records = self.records.iter().map(|(key, value)| {
            let (key, value) = (key.clone(), value.clone());
            BackupLine::Record { key, value }
        });
        records.chain(std::iter::once(BackupLine::End { records: self.len() }))
    }

    pub(super) fn into_records(self) -> impl Iterator<Item = (String, Box<RawValue>)> {
        self.records.into_iter()
    }

    /// Decodes one record, or returns `None` if it does not exist.
    ///
    /// # Errors
    /// Returns [`StoreError::Damaged`] if it cannot be decoded.
    pub fn get<T: Document>(&self, key: &RecordKey<T>) -> Result<Option<T>> {
        let found = self.records.get(&key.text);
        found.map(|value| read(&key.text, value)).transpose()
    }

    /// Removes one record.
    pub fn remove<T>(&mut self, key: &RecordKey<T>) {
        self.records.remove(&key.text);
    }

    /// Removes every record under a prefix.
    pub fn remove_all<T>(&mut self, prefix: &Prefix<T>) {
        self.records.retain(|key, _| !key.starts_with(&prefix.text));
    }

    /// Returns the records under a prefix that can be decoded, each with the rest of its
    /// key.
    #[must_use]
    pub fn list_lossy<T: Document>(&self, prefix: &Prefix<T>) -> Vec<(String, T)> {
        let found = self.records.iter().filter(|(key, _)| key.starts_with(&prefix.text));
        let readable = found.filter_map(|(key, value)| {
            Some((key[prefix.text.len()..].to_owned(), read(key, value).ok()?))
        });
        readable.collect()
    }

    /// Replaces every record under a prefix with the result of `change`, which gets the
    /// rest of the key and the value. A record that cannot be decoded is logged and
    /// stays unchanged; the running controller reports it where it needs the record.
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
                    tracing::warn!(%error, "cannot read a record; leaving it unchanged");
                }
            }
        }
    }
}

fn read<T: Document>(key: &str, value: &RawValue) -> Result<T> {
    document::read(value.get()).map_err(|error| super::unreadable(key, &error))
}

#[cfg(test)]
mod tests;
