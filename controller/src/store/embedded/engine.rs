//! An open sled database, with commits that are durable when they return.
//! Every call blocks; the one writer and the readers run on blocking threads.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::header::{FORMAT, Header};
use super::layout::{self, Contents, Meta, ValueHead};
use super::{OpenError, lock};
use crate::store::{RawKey, StoreError, Versioned, Write, WriteAction};

/// The size of sled's cache. It is small to save memory: frequent reads hit the page
/// cache.
const CACHE_SIZE_BYTES: u64 = 512 << 10;
/// The interval of sled's background flush. Commits do not depend on it: each one
/// flushes.
const TIDY_INTERVAL_MS: u64 = 5_000;

/// An open sled database.
#[derive(Debug)]
pub(super) struct Engine {
    db: sled::Db,
    /// sled's file, open read-only. Only syncing it makes a commit durable,
    /// because sled's own flush does not wait for the disk.
    file: File,
    meta: Meta,
}

/// The error of a read or a commit.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The call was refused without any change, and the engine remains usable.
    #[error(transparent)]
    Refused(StoreError),
    /// sled or the disk failed, and the engine must be dropped.
    #[error("{0}")]
    Broken(io::Error),
}

type Result<T, E = Failure> = std::result::Result<T, E>;

impl Engine {
    /// Makes an empty database in a folder.
    pub(super) fn create(dir: &Path, cluster: &str) -> Result<(), OpenError> {
        let db = open_sled(dir)?;
        let contents = Contents::default();
        let meta = Meta { format: FORMAT, cluster: cluster.to_owned(), version: 0, contents };
        let made = db.insert(layout::META, encode(&meta)).and_then(|_none| db.flush());
        made.map_err(|error| OpenError::from_sled(dir, error))?;
        drop(db);
        for entry in fs::read_dir(dir).map_err(|source| OpenError::io(dir, source))? {
            let path = entry.map_err(|source| OpenError::io(dir, source))?.path();
            sync(&path).map_err(|source| OpenError::io(&path, source))?;
        }
        sync(dir).map_err(|source| OpenError::io(dir, source))
    }

    /// Opens the database that belongs to `header`, and reads all of it once to check
    /// it.
    pub(super) fn open(dir: &Path, header: &Header) -> Result<Self, OpenError> {
        for (name, size_bytes_min) in [("conf", 9), ("db", 1)] {
            check_file(&dir.join(name), size_bytes_min)?;
        }
        remove_unfinished(dir).map_err(|source| OpenError::io(dir, source))?;
        let path = dir.join("db");
        lock::wait_until_free(&path)?;
        let db = open_sled(dir)?;
        let file = File::open(&path).map_err(|source| OpenError::io(&path, source))?;
        let meta = db.get(layout::META).map_err(|error| OpenError::from_sled(dir, error))?;
        let meta = meta.ok_or_else(|| OpenError::CutShort { file: path.clone() })?;
        let damaged = |reason: String| OpenError::Damaged { file: path.clone(), reason };
        let meta: Meta =
            serde_json::from_slice(&meta).map_err(|error| damaged(error.to_string()))?;
        if meta.format > FORMAT {
            return Err(OpenError::Newer { file: path, found: meta.format });
        }
        if meta.cluster != header.cluster {
            let reason = "its cluster differs from the one in the header";
            return Err(OpenError::Foreign { file: path, reason });
        }
        if meta.version < header.committed {
            let (found, known) = (meta.version, header.committed);
            return Err(damaged(format!(
                "its last commit is {found}, but commit {known} was acknowledged"
            )));
        }
        let engine = Self { db, file, meta };
        let contents = engine.read_all().map_err(|error| damaged(error.to_string()))?;
        if contents != engine.meta.contents {
            return Err(damaged("its entries do not match their checksum".into()));
        }
        // Entries that were read from the page cache must also survive the next power
        // cut.
        engine.file.sync_all().map_err(|source| OpenError::io(&path, source))?;
        Ok(engine)
    }

    /// Returns the number of the last commit.
    pub(super) fn version(&self) -> u64 {
        self.meta.version
    }

    pub(super) fn get(&self, key: &RawKey) -> Result<Option<Versioned>> {
        let stored = self.db.get(layout::entry_key(key.as_str()));
        let stored = stored.map_err(broken)?;
        stored.map(|bytes| self.value(key, &bytes)).transpose()
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>> {
        let mut found = Vec::new();
        self.scan(prefix, |key, value| found.push((key, value)))?;
        Ok(found)
    }

    fn scan(&self, prefix: &str, mut visit: impl FnMut(RawKey, Versioned)) -> Result<()> {
        for entry in self.db.scan_prefix(layout::entry_key(prefix)) {
            let (entry_key, bytes) = entry.map_err(broken)?;
            let key = layout::key_of(&entry_key).ok_or_else(|| {
                let shown = String::from_utf8_lossy(&entry_key).as_ref().into();
                damaged(shown, "it is not a valid key")
            })?;
            let value = self.value(&key, &bytes)?;
            visit(key, value);
        }
        Ok(())
    }

    /// Writes a batch and returns once it is on the disk.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Result<u64> {
        let (batch, meta) = self.prepare(writes)?;
        self.db.apply_batch(batch).map_err(broken)?;
        self.db.flush().map_err(broken)?;
        self.file.sync_all().map_err(Failure::Broken)?;
        self.meta = meta;
        Ok(self.meta.version)
    }

    /// Checks every condition and prepares the changes, without writing anything.
    fn prepare(&self, writes: &[Write]) -> Result<(sled::Batch, Meta)> {
        let mut batch = sled::Batch::default();
        let mut meta = self.meta.clone();
        meta.version += 1;
        for write in writes {
            let key = write.key.as_str();
            let old = self.get(&write.key)?;
            if !write.expect.holds(old.as_ref().map(|v| v.version)) {
                let key = write.key.clone();
                return Err(Failure::Refused(StoreError::Conflict { key }));
            }
            let old_pieces = old.as_ref().map_or(0, |old| layout::pieces(old.value.len()));
            if let Some(old) = old {
                meta.contents.remove(key.as_bytes(), old.version, &old.value);
            }
            let new_pieces = match &write.change {
                WriteAction::Put(value) => {
                    meta.contents.add(key.as_bytes(), meta.version, value);
                    put(&mut batch, key, meta.version, value)
                }
                WriteAction::Delete => {
                    batch.remove(layout::entry_key(key));
                    0
                }
            };
            for number in new_pieces..old_pieces {
                batch.remove(layout::piece_key(key, number + 1));
            }
        }
        batch.insert(layout::META, encode(&meta));
        Ok((batch, meta))
    }

    fn value(&self, key: &RawKey, stored: &[u8]) -> Result<Versioned> {
        let damaged = |reason| damaged(key.clone(), reason);
        let head =
            ValueHead::decode(stored).ok_or_else(|| damaged("its first piece cannot be read"))?;
        let mut value = Vec::with_capacity(head.len.min(crate::store::VALUE_SIZE_BYTES_MAX));
        value.extend(head.first);
        for number in 1..=head.pieces() {
            let piece = self.db.get(layout::piece_key(key.as_str(), number));
            let piece = piece.map_err(broken)?;
            value.extend(piece.ok_or_else(|| damaged("a piece is missing"))?.as_ref());
        }
        if value.len() != head.len {
            return Err(damaged("a piece has the wrong size"));
        }
        Ok(Versioned { version: head.version, value: Bytes::from(value) })
    }

    fn read_all(&self) -> Result<Contents> {
        let mut contents = Contents::default();
        self.scan("", |key, entry| {
            contents.add(key.as_str().as_bytes(), entry.version, &entry.value);
        })?;
        Ok(contents)
    }
}

/// Adds one value to a batch and returns the number of pieces after the first.
fn put(batch: &mut sled::Batch, key: &str, version: u64, value: &[u8]) -> u32 {
    let head = ValueHead::of(version, value);
    batch.insert(layout::entry_key(key), head.encode());
    for (number, piece) in value.chunks(layout::PIECE_SIZE_BYTES).enumerate().skip(1) {
        // The cast is safe: a value of the greatest size has 256 pieces.
        batch.insert(layout::piece_key(key, number as u32), piece);
    }
    head.pieces()
}

fn encode(meta: &Meta) -> Vec<u8> {
    serde_json::to_vec(meta).expect("the record has only text keys and types that serialize")
}

fn open_sled(dir: &Path) -> Result<sled::Db, OpenError> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_SIZE_BYTES)
        .flush_every_ms(Some(TIDY_INTERVAL_MS));
    config.open().map_err(|error| OpenError::from_sled(dir, error))
}

/// Removes snapshots that sled did not finish writing. sled would use one that a
/// crash or a full disk cut off. Removing it is safe, because a snapshot only
/// saves reading the log.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Checks that a file exists with at least this size. Without this check sled would make
/// a missing file, and the store would start empty.
fn check_file(path: &Path, size_bytes_min: u64) -> Result<(), OpenError> {
    let found = fs::metadata(path).map(|found| found.len());
    match found {
        Ok(len) if len >= size_bytes_min => Ok(()),
        Ok(_short) => Err(OpenError::CutShort { file: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::CutShort { file: path.to_owned() })
        }
        Err(source) => Err(OpenError::io(path, source)),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn broken(error: sled::Error) -> Failure {
    Failure::Broken(io_error(error))
}

fn damaged(key: RawKey, reason: &str) -> Failure {
    Failure::Refused(StoreError::Damaged { key, reason: reason.to_owned() })
}

/// Returns the operating system's error inside of sled's error, if there is one.
fn io_error(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Io(source) => source,
        other @ (sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Corruption { .. }) => io::Error::other(other),
    }
}
