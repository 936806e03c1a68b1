//! The layout of keys, values and the store's own record in sled. This module
//! does no I/O.
//!
//! sled writes items larger than a quarter of a segment into separate files and
//! never syncs those. Values are therefore split into small pieces: a leaf of
//! sled holds about twenty items at most, and twenty pieces stay far below a
//! quarter of a segment.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::store::RawKey;

/// The greatest size of one piece of a value, in bytes.
pub(super) const PIECE_SIZE_BYTES: usize = 4096;

/// The sled key of the store's own record.
pub(super) const META: &[u8] = b"m";

/// The common prefix of the sled keys of all entries.
pub(super) const ENTRIES: &[u8] = b"k/";

const PIECES: &[u8] = b"p/";
const ENTRY_HEAD_LEN: usize = 12;

/// The store's own record, which every commit replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) format: u32,
    pub(super) cluster: String,
    pub(super) version: u64,
    /// The checksum of all entries. It shows a lost, outdated or altered entry
    /// when the store is opened.
    pub(super) contents: Contents,
}

/// The checksum of a set of entries: the exclusive or of their SHA-256 hashes.
/// Adding and removing an entry are therefore the same step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Contents {
    entries: u64,
    sum: [u8; 32],
}

impl Contents {
    pub(super) fn add(&mut self, key: &[u8], version: u64, value: &[u8]) {
        self.entries += 1;
        self.toggle(key, version, value);
    }

    pub(super) fn remove(&mut self, key: &[u8], version: u64, value: &[u8]) {
        self.entries = self.entries.saturating_sub(1);
        self.toggle(key, version, value);
    }

    fn toggle(&mut self, key: &[u8], version: u64, value: &[u8]) {
        let mut hash = Sha256::new();
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key);
        hash.update(version.to_be_bytes());
        hash.update(value);
        for (sum, byte) in self.sum.iter_mut().zip(hash.finalize()) {
            *sum ^= byte;
        }
    }
}

/// The head of a stored value: its version, its whole length and its first piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ValueHead<'a> {
    pub(super) version: u64,
    pub(super) len: usize,
    pub(super) first: &'a [u8],
}

impl<'a> ValueHead<'a> {
    pub(super) fn of(version: u64, value: &'a [u8]) -> Self {
        let first = &value[..value.len().min(PIECE_SIZE_BYTES)];
        Self { version, len: value.len(), first }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRY_HEAD_LEN + self.first.len());
        bytes.extend(self.version.to_be_bytes());
        // The cast is safe: a value has at most 1 MiB.
        bytes.extend((self.len as u32).to_be_bytes());
        bytes.extend(self.first);
        bytes
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk::<8>()?;
        let (len, first) = rest.split_first_chunk::<4>()?;
        let version = u64::from_be_bytes(*version);
        let len = u32::from_be_bytes(*len) as usize;
        let fits = first.len() == len.min(PIECE_SIZE_BYTES);
        fits.then_some(Self { version, len, first })
    }

    /// Returns the number of pieces after the first.
    pub(super) fn pieces(&self) -> u32 {
        pieces(self.len)
    }
}

/// Returns the number of pieces after the first in a value of `len` bytes.
pub(super) fn pieces(len: usize) -> u32 {
    // The cast is safe: a value of the greatest size has 256 pieces.
    (len.saturating_sub(1) / PIECE_SIZE_BYTES) as u32
}

/// Returns the sled key of an entry.
pub(super) fn entry_key(key: &str) -> Vec<u8> {
    [ENTRIES, key.as_bytes()].concat()
}

/// Returns the key of the entry that a sled key belongs to.
pub(super) fn key_of(entry_key: &[u8]) -> Option<RawKey> {
    let text = str::from_utf8(entry_key.strip_prefix(ENTRIES)?).ok()?;
    Some(RawKey::from(text))
}

/// Returns the sled key of a piece after the first. It is unambiguous, because no key
/// contains a zero byte.
pub(super) fn piece_key(key: &str, number: u32) -> Vec<u8> {
    [PIECES, key.as_bytes(), b"\0", &number.to_be_bytes()].concat()
}
