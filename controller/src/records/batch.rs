//! The writes of a commit, as typed records.

use oml_common::document::{self, Document, Verbatim};

use super::RecordKey;
use super::values::AuditRecord;
use crate::store::{Expect, Write};

/// Changes that are committed together or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) writes: Vec<Write>,
    /// Lines of the audit trail, which are numbered when they are committed.
    pub(super) audits: Vec<Vec<u8>>,
}

impl Batch {
    /// Adds the write of a record.
    #[must_use]
    pub fn put<T: Document>(mut self, key: &RecordKey<T>, expect: Expect, value: &T) -> Self {
        let bytes = document::write(value).into_bytes();
        self.writes.push(Write::put(key.text.as_str(), expect, bytes));
        self
    }

    /// Adds the write of a record in the bytes that its value has.
    #[must_use]
    pub fn put_verbatim<T>(
        mut self,
        key: &RecordKey<T>,
        expect: Expect,
        value: &Verbatim<T>,
    ) -> Self {
        let bytes = value.text().as_bytes().to_vec();
        self.writes.push(Write::put(key.text.as_str(), expect, bytes));
        self
    }

    /// Adds a line at the end of the audit trail.
    #[must_use]
    pub fn audit(mut self, line: &AuditRecord) -> Self {
        self.audits.push(document::write(line).into_bytes());
        self
    }

    /// Adds the removal of a record.
    #[must_use]
    pub fn delete<T>(mut self, key: &RecordKey<T>, expect: Expect) -> Self {
        self.writes.push(Write::delete(key.text.as_str(), expect));
        self
    }

    /// Returns the number of keys that the batch writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len() + self.audits.len()
    }

    /// Returns whether the batch writes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
