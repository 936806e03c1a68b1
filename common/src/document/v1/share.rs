//! The share of a node: the instances that it should run, each in its exact bytes.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::desired::Desired;
use crate::document::ReadError;
use crate::id::{ComponentName, ContentHash};
use crate::text::error::chain;

/// The instances that one node should run.
///
/// An instance that this release cannot read, because a later one made it, is kept
/// in its bytes apart from the others. It is passed on unchanged and not acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    pub instances: BTreeMap<ComponentName, Desired>,
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
}

impl FromIterator<(ComponentName, Desired)> for Share {
    fn from_iter<I: IntoIterator<Item = (ComponentName, Desired)>>(desired: I) -> Self {
        Self { instances: desired.into_iter().collect(), unreadable: BTreeMap::new() }
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

    /// Returns the hash of all instances and of how changes to them are made. It is
    /// computed from the hashes of the documents, so their size does not matter.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let mut lines: BTreeMap<&ComponentName, String> = BTreeMap::new();
        for (component, desired) in &self.instances {
            let policy = serde_json::to_string(&desired.policy)
                .expect("a policy has no serializer that fails");
            lines.insert(component, format!("{component} {} {policy}\n", desired.instance.hash()));
        }
        for (component, unreadable) in &self.unreadable {
            let text = ContentHash::of(unreadable.text.get().as_bytes());
            lines.insert(component, format!("{component} {text}\n"));
        }
        ContentHash::of(lines.into_values().collect::<String>().as_bytes())
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.instances.len() + self.unreadable.len();
        let mut map = serializer.serialize_map(Some(count))?;
        for (component, desired) in &self.instances {
            map.serialize_entry(component, desired)?;
        }
        for (component, unreadable) in &self.unreadable {
            map.serialize_entry(component, &unreadable.text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<ComponentName, Box<RawValue>>::deserialize(deserializer)?;
        let mut share = Self::default();
        for (component, text) in entries {
            match Desired::read(text.get()) {
                Ok(desired) if desired.instance.component != component => {
                    let named = &desired.instance.component;
                    let what = format!("the entry {component} holds an instance of {named}");
                    return Err(D::Error::custom(what));
                }
                Ok(desired) => {
                    share.instances.insert(component, desired);
                }
                Err(error) => {
                    share.unreadable.insert(component, Unreadable::new(text, &error));
                }
            }
        }
        Ok(share)
    }
}
