//! The share of a node: the instances that it should run, each in its exact bytes.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::desired::{ChangePolicy, Desired};
use crate::document::{ReadError, Verbatim, read};
use crate::id::{ComponentName, ContentHash};
use crate::text::error::chain;

/// The instances that one node should run, each in the bytes in which it was written, so
/// that a program that knows fewer fields passes on all of them.
///
/// An instance that this release cannot read, because a later one made it, is kept
/// in its bytes apart from the others. It is passed on unchanged and not acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    pub instances: BTreeMap<ComponentName, Verbatim<Desired>>,
    /// The instances that only a later release can read.
    pub unreadable: BTreeMap<ComponentName, Unreadable>,
}

/// An instance that only a later release can read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    text: Box<RawValue>,
    /// Why this release cannot read it, in one sentence.
    pub why: String,
}

impl PartialEq for Unreadable {
    fn eq(&self, other: &Self) -> bool {
        self.text.get() == other.text.get()
    }
}

impl Eq for Unreadable {}

impl Unreadable {
    fn new(text: Box<RawValue>, error: &ReadError) -> Self {
        Self { text, why: chain(error) }
    }

    /// Returns the hash of its workload, if the text still has that part.
    #[must_use]
    pub fn workload_hash(&self) -> Option<ContentHash> {
        #[derive(Deserialize)]
        struct Entry<'a> {
            #[serde(borrow)]
            instance: Parts<'a>,
        }
        #[derive(Deserialize)]
        struct Parts<'a> {
            #[serde(borrow)]
            workload: &'a RawValue,
        }
        let entry: Entry<'_> = serde_json::from_str(self.text.get()).ok()?;
        Some(ContentHash::of(entry.instance.workload.get().as_bytes()))
    }

    fn policy(&self) -> Option<ChangePolicy> {
        #[derive(Deserialize)]
        struct Entry {
            policy: ChangePolicy,
        }
        let entry: Entry = serde_json::from_str(self.text.get()).ok()?;
        Some(entry.policy)
    }
}

impl FromIterator<(ComponentName, Desired)> for Share {
    fn from_iter<I: IntoIterator<Item = (ComponentName, Desired)>>(desired: I) -> Self {
        let sealed = desired.into_iter().map(|(name, desired)| (name, Verbatim::seal(desired)));
        Self { instances: sealed.collect(), unreadable: BTreeMap::new() }
    }
}

impl Share {
    /// Whether the node should run nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.unreadable.is_empty()
    }

    /// Whether the node should run the component, readable or not.
    #[must_use]
    pub fn contains(&self, component: &ComponentName) -> bool {
        self.instances.contains_key(component) || self.unreadable.contains_key(component)
    }

    /// Returns the components that the node should run, readable or not.
    pub fn components(&self) -> impl Iterator<Item = &ComponentName> {
        self.instances.keys().chain(self.unreadable.keys())
    }

    /// Returns how the node's instances are changed, which is the same for all of a tenant.
    /// There is none in an empty share, or if only a later release can read it.
    #[must_use]
    pub fn policy(&self) -> Option<ChangePolicy> {
        let readable = self.instances.values().next().map(|desired| desired.policy.clone());
        readable.or_else(|| self.unreadable.values().find_map(Unreadable::policy))
    }

    /// Returns the hash of all entries as they were written. It is computed from the hash
    /// of each, and does not depend on how much of them this release can read.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let readable = self.instances.iter().map(|(name, desired)| (name, desired.hash().clone()));
        let unreadable = self.unreadable.iter();
        let unreadable =
            unreadable.map(|(name, held)| (name, ContentHash::of(held.text.get().as_bytes())));
        let hashes: BTreeMap<&ComponentName, ContentHash> = readable.chain(unreadable).collect();
        let lines = hashes.iter().map(|(name, hash)| format!("{name} {hash}\n"));
        ContentHash::of(lines.collect::<String>().as_bytes())
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = self.instances.iter().map(|(name, desired)| (name, desired.raw()));
        let unreadable = self.unreadable.iter().map(|(name, held)| (name, &*held.text));
        let entries: BTreeMap<&ComponentName, &RawValue> = readable.chain(unreadable).collect();
        serializer.collect_map(entries)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<ComponentName, Box<RawValue>>::deserialize(deserializer)?;
        let mut share = Self::default();
        for (component, text) in entries {
            match read::<Desired>(text.get()) {
                Ok(desired) if desired.instance.component != component => {
                    let named = &desired.instance.component;
                    let what = format!("the entry {component} holds an instance of {named}");
                    return Err(D::Error::custom(what));
                }
                Ok(desired) => {
                    share.instances.insert(component, Verbatim::new(desired, text));
                }
                Err(error) => {
                    share.unreadable.insert(component, Unreadable::new(text, &error));
                }
            }
        }
        Ok(share)
    }
}
