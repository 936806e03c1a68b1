//! Typed keys and values over the store. This module makes no decisions: the
//! conditions and values of a commit come from the callers.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oml_common::document::{self, Document, ReadError};
use oml_common::text::error::chain;

use crate::store::{self, ChangeSignal, Expect, RawKey, Store, StoreError, Versioned, Write};
use crate::store::{COMMIT_SIZE_BYTES_MAX, COMMIT_WRITES_MAX};

mod archive;
mod audit_numbers;
mod batch;
mod decoded_cache;
pub mod keys;
pub mod values;

pub use self::archive::Archive;
pub use self::batch::Batch;

use self::audit_numbers::AuditNumbers;
use self::decoded_cache::DecodedCache;

/// The result of an operation on records. A value that cannot be read is
/// [`StoreError::Damaged`] or, if a later release wrote it, [`StoreError::NeedsNewer`].
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The number of times that the audit lines of a commit are numbered again when
/// another commit took one of the numbers. After that the commit fails with the
/// conflict.
const NUMBER_CONFLICTS_MAX: usize = 8;

/// The key of a record of type `T`.
#[derive(Debug)]
pub struct RecordKey<T> {
    text: String,
    value: PhantomData<fn() -> T>,
}

/// The common prefix of the keys of all records of type `T`.
#[derive(Debug)]
pub struct Prefix<T> {
    text: String,
    value: PhantomData<fn() -> T>,
}

impl<T> Prefix<T> {
    /// Reads the name in the rest of a key. An invalid name is logged, and `None` is
    /// returned.
    #[must_use]
    pub fn name<N: FromStr>(&self, rest: &str) -> Option<N> {
        let name = rest.parse().ok();
        if name.is_none() {
            tracing::warn!(
                key = format!("{}{rest}", self.text),
                "a key in the store has an invalid name"
            );
        }
        name
    }
}

/// A value and the number of the commit that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// The version that [`if_unchanged`] makes a condition of.
    pub version: u64,
    pub value: T,
}

/// The records under a prefix, with those that cannot be read kept apart.
#[derive(Debug)]
pub struct LossyList<T> {
    /// The readable records, each with the rest of its key.
    pub entries: Vec<(String, Entry<T>)>,
    /// The rest of each key whose record cannot be read.
    pub damaged: BTreeSet<String>,
}

impl<T> LossyList<T> {
    fn add(&mut self, rest: String, read: Result<Entry<T>>) {
        match read {
            Ok(entry) => self.entries.push((rest, entry)),
            Err(error) => {
                tracing::error!(%error, "cannot read a record");
                self.damaged.insert(rest);
            }
        }
    }
}

/// Returns the condition that a record has not changed since it was read.
#[must_use]
pub fn if_unchanged<T>(read: Option<&Entry<T>>) -> Expect {
    read.map_or(Expect::Absent, |entry| Expect::Version(entry.version))
}

/// The numbers of commits since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitCounts {
    pub successful: u64,
    /// Commits that failed, or that the store refused because a condition did not hold.
    pub refused: u64,
}

/// Access to all records of the store. Clones are cheap and share one cache.
#[derive(Clone)]
pub struct Records {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    decoded: DecodedCache,
    audit_numbers: AuditNumbers,
    commits: AtomicU64,
    refused: AtomicU64,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    /// Makes the access to the records of a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (commits, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            inner: Arc::new(Inner {
                store,
                decoded: DecodedCache::default(),
                audit_numbers: AuditNumbers::default(),
                commits,
                refused,
            }),
        }
    }

    /// Reads one record, or returns `None` if it does not exist.
    pub async fn get<T: Document>(&self, key: &RecordKey<T>) -> Result<Option<Entry<T>>> {
        let found = self.inner.store.get(&key.text.as_str().into()).await?;
        found.map(|found| decode(&key.text, &found)).transpose()
    }

    /// Reads one record through a cache of decoded values. It is for large records
    /// that are read often: each version is decoded once.
    pub async fn get_cached<T>(&self, key: &RecordKey<T>) -> Result<Option<Entry<Arc<T>>>>
    where
        T: Document + Send + Sync + 'static,
    {
        let found = self.inner.store.get(&key.text.as_str().into()).await?;
        found.map(|found| self.decode_once(&key.text, &found)).transpose()
    }

    /// Reads every readable record under a prefix and returns the keys of the others,
    /// so that a damaged record of one tenant does not affect the other tenants.
    pub async fn list_lossy<T: Document>(&self, prefix: &Prefix<T>) -> Result<LossyList<T>> {
        let mut list = LossyList { entries: Vec::new(), damaged: BTreeSet::new() };
        for (key, found) in self.inner.store.list(&prefix.text).await? {
            let rest = key.as_str()[prefix.text.len()..].to_owned();
            list.add(rest, decode(key.as_str(), &found));
        }
        Ok(list)
    }

    /// Reads every readable record under a prefix through the cache, and returns the keys
    /// of the others.
    pub async fn list_lossy_cached<T>(&self, prefix: &Prefix<T>) -> Result<LossyList<Arc<T>>>
    where
        T: Document + Send + Sync + 'static,
    {
        let mut list = LossyList { entries: Vec::new(), damaged: BTreeSet::new() };
        for (key, found) in self.inner.store.list(&prefix.text).await? {
            let rest = key.as_str()[prefix.text.len()..].to_owned();
            list.add(rest, self.decode_once(key.as_str(), &found));
        }
        Ok(list)
    }

    /// Reads every record under a prefix through the cache, as [`Records::get_cached`]
    /// does.
    pub async fn list_cached<T>(&self, prefix: &Prefix<T>) -> Result<Vec<(String, Entry<Arc<T>>)>>
    where
        T: Document + Send + Sync + 'static,
    {
        let found = self.inner.store.list(&prefix.text).await?;
        let read = found.into_iter().map(|(key, found)| {
            let rest = key.as_str()[prefix.text.len()..].to_owned();
            Ok((rest, self.decode_once(key.as_str(), &found)?))
        });
        read.collect()
    }

    fn decode_once<T>(&self, key: &str, found: &Versioned) -> Result<Entry<Arc<T>>>
    where
        T: Document + Send + Sync + 'static,
    {
        let version = found.version;
        if let Some(value) = self.inner.decoded.get(key, version) {
            return Ok(Entry { version, value });
        }
        let value: Arc<T> = Arc::new(decode(key, found)?.value);
        self.inner.decoded.keep(key, found, Arc::clone(&value));
        Ok(Entry { version, value })
    }

    /// Reads every record under a prefix, with the rest of its key.
    pub async fn list<T: Document>(&self, prefix: &Prefix<T>) -> Result<Vec<(String, Entry<T>)>> {
        let found = self.inner.store.list(&prefix.text).await?;
        let read = found.into_iter().map(|(key, found)| {
            let rest = key.as_str()[prefix.text.len()..].to_owned();
            Ok((rest, decode(key.as_str(), &found)?))
        });
        read.collect()
    }

    /// Reads every record of the store.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the store cannot be read, or a value is not JSON.
    pub async fn export(&self) -> Result<Archive> {
        let mut archive = Archive::default();
        for (key, found) in self.inner.store.list("").await? {
            let value = serde_json::from_slice(&found.value).map_err(|error| {
                StoreError::Damaged { key: key.clone(), reason: error.to_string() }
            })?;
            archive.insert(key.to_string(), value);
        }
        Ok(archive)
    }

    /// Writes every record into an empty store, in as many commits as necessary.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the store cannot be written, or already contains one of
    /// the records. Earlier commits of the import then remain.
    pub async fn import(&self, archive: Archive) -> Result<()> {
        let mut batch = Batch::default();
        let mut size_bytes = 0;
        for (key, value) in archive.into_records() {
            let value = value.get().to_owned().into_bytes();
            if batch.len() == COMMIT_WRITES_MAX || size_bytes + value.len() > COMMIT_SIZE_BYTES_MAX
            {
                self.commit(std::mem::take(&mut batch)).await?;
                size_bytes = 0;
            }
            size_bytes += value.len();
            batch.writes.push(Write::put(key, Expect::Absent, value));
        }
        self.commit(batch).await
    }

    /// Makes all changes of a batch durable, or none of them.
    ///
    /// # Errors
    /// Returns [`StoreError`]; it is a conflict if a condition does not hold.
    pub async fn commit(&self, batch: Batch) -> Result<()> {
        match self.commit_numbered(batch).await {
            Ok(()) => {
                self.inner.commits.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.inner.refused.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Numbers the audit lines and commits. If another commit took one of the numbers,
    /// it tries again with new numbers.
    async fn commit_numbered(&self, batch: Batch) -> Result<()> {
        let Inner { store, audit_numbers, .. } = &*self.inner;
        let mut conflicts = 0;
        loop {
            let writes = self.numbered(&batch).await?;
            match store.commit(writes).await {
                Err(StoreError::Conflict { key })
                    if is_audit(&key) && conflicts < NUMBER_CONFLICTS_MAX =>
                {
                    conflicts += 1;
                    audit_numbers.read_last_number(&**store).await?;
                }
                ended => return ended.map(|store::Commit { version: _ }| ()),
            }
        }
    }

    async fn numbered(&self, batch: &Batch) -> Result<Vec<Write>> {
        let Inner { store, audit_numbers, .. } = &*self.inner;
        let mut writes = batch.writes.clone();
        for line in &batch.audits {
            let number = audit_numbers.take(&**store).await?;
            writes.push(Write::put(keys::audit_line(number).text, Expect::Absent, line.clone()));
        }
        Ok(writes)
    }

    /// Returns a signal of commits that write a record under a prefix.
    #[must_use]
    pub fn changed<T>(&self, prefix: &Prefix<T>) -> ChangeSignal {
        self.inner.store.changed(&prefix.text)
    }

    /// Returns a signal of commits that write a record.
    #[must_use]
    pub fn changed_at<T>(&self, key: &RecordKey<T>) -> ChangeSignal {
        self.inner.store.changed(&key.text)
    }

    /// Returns the numbers of commits since the start.
    #[must_use]
    pub fn commits(&self) -> CommitCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CommitCounts { successful: read(&self.inner.commits), refused: read(&self.inner.refused) }
    }
}

fn is_audit(key: &RawKey) -> bool {
    key.as_str().starts_with(&keys::audits().text)
}

fn decode<T: Document>(key: &str, found: &Versioned) -> Result<Entry<T>> {
    let damaged = |reason: String| StoreError::Damaged { key: key.into(), reason };
    let text = std::str::from_utf8(&found.value).map_err(|error| damaged(error.to_string()))?;
    let value = document::read(text).map_err(|error| unreadable(key, &error))?;
    Ok(Entry { version: found.version, value })
}

/// Returns the error for the value of a key that cannot be read.
fn unreadable(key: &str, error: &ReadError) -> StoreError {
    match error.of_later_release() {
        Some(reason) => StoreError::NeedsNewer { key: key.into(), reason },
        None => StoreError::Damaged { key: key.into(), reason: chain(error) },
    }
}

#[cfg(test)]
mod tests;
