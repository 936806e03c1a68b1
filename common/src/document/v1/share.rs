//! What one node runs: an instance per component, each in its exact bytes.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::ReadError;
use crate::document::assignment::Desired;
use crate::id::{ComponentName, ContentHash};
use crate::text::error::chain;

/// The instances of one node.
///
/// What this program cannot read (an instance that a later release made, and
/// that asks for something unknown here) is kept and passed on in its bytes,
/// apart from the others, and never acted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// One per component.
    pub instances: BTreeMap<ComponentName, Desired>,
    /// Those that take a later release to read.
    pub unreadable: BTreeMap<ComponentName, Unreadable>,
}

/// An instance that takes a later release to read.
#[derive(Debug, Clone)]
pub struct Unreadable {
    text: Box<RawValue>,
    /// What is not known here, in one sentence.
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

    /// Identity of its workload, where the text still shows which part that is.
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
    /// Whether nothing should run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.unreadable.is_empty()
    }

    /// Whether the component should run, readable here or not.
    #[must_use]
    pub fn contains(&self, component: &ComponentName) -> bool {
        self.instances.contains_key(component) || self.unreadable.contains_key(component)
    }

    /// Identity of what should run and of how a change to it is made. It is made
    /// of identities that are there already, whatever the size of the documents.
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
                    let what = format!("the instance of {component} names itself {named}");
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
