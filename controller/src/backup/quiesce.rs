//! What a restored controller begins with. Its backup may be older than what
//! the hosts run, so it gives nothing to anybody until an operator says again
//! what shall run; that then goes out in waves like any other change.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::assign;
use oml_common::id::NodeName;
use oml_common::rollout::{Rollout, State};
use oml_common::time::Timestamp;
use serde::de::DeserializeOwned;

use crate::pki::TokenRecord;
use crate::records::values::{Assigned, Head};

const TARGETS: &str = "targets/";
const ASSIGNMENTS: &str = "assignments/";
const ROLLOUTS: &str = "rollouts/";
const HEADS: &str = "heads/";
const TOKENS: &str = "tokens/";
/// Why every rollout is paused.
const WHY: &str = "restored from a backup; apply again";

/// A key and its value.
pub(super) type Record = (String, Vec<u8>);

/// What is found in the records before they are changed.
struct Found {
    rollouts: BTreeMap<String, Rollout>,
    /// By tenant, the nodes that carried something: the next change looks at
    /// everything on them, and empties those it gives nothing.
    carry: BTreeMap<String, BTreeSet<NodeName>>,
}

/// The same records without pointers, with every node undecided, every rollout
/// paused and every token ended.
pub(super) fn quiesce(records: Vec<Record>, epoch: u64, now: Timestamp) -> Vec<Record> {
    let found = find(&records);
    let pointed_at = |record: &Record| record.0.starts_with(TARGETS);
    let kept = records.into_iter().filter(|record| !pointed_at(record));
    kept.map(|record| still(&record, &found, (epoch, now)).unwrap_or(record)).collect()
}

fn find(records: &[Record]) -> Found {
    let mut found = Found { rollouts: BTreeMap::new(), carry: BTreeMap::new() };
    for record in records {
        if let Some(tenant) = record.0.strip_prefix(ROLLOUTS)
            && let Some(rollout) = read::<Rollout>(record)
        {
            // It may have been restored already, and nothing applied since.
            let half_way = rollout.half_way();
            found.carry.entry(tenant.to_owned()).or_default().extend(half_way);
            found.rollouts.insert(tenant.to_owned(), rollout);
        }
        if record.0.starts_with(ASSIGNMENTS)
            && let Some(Assigned { assignment, .. }) = read(record)
            && !assignment.content.instances.is_empty()
        {
            let tenant = assignment.tenant.to_string();
            found.carry.entry(tenant).or_default().insert(assignment.node);
        }
    }
    found
}

fn still(
    record: &Record,
    Found { rollouts, carry }: &Found,
    (epoch, now): (u64, Timestamp),
) -> Option<Record> {
    let key = record.0.as_str();
    if key.starts_with(ASSIGNMENTS) {
        let held: Assigned = read(record)?;
        return Some(written(key, &assign::undecided(&held.assignment, epoch)));
    }
    if let Some(tenant) = key.strip_prefix(ROLLOUTS) {
        let rollout = Rollout {
            from: None,
            state: State::Paused { why: WHY.to_owned(), returning: false },
            since: now,
            moved: BTreeSet::new(),
            turned: carry.get(tenant).cloned().unwrap_or_default(),
            ..read(record)?
        };
        return Some(written(key, &rollout));
    }
    if key.starts_with(TOKENS) {
        // It may have been used since the backup. Long ended, so that no clock
        // that is set back makes it good again.
        let ended = TokenRecord { expires: Timestamp::default(), ..read(record)? };
        return Some(written(key, &ended));
    }
    let tenant = key.strip_prefix(HEADS)?;
    let head: Head = read(record)?;
    // Nothing is known to run, so every node is on the way of the next change.
    let current = head.present(rollouts.get(tenant));
    Some(written(key, &Head { current, good: None, ..head }))
}

/// What cannot be read stays as it is: the controller says so where it matters.
fn read<T: DeserializeOwned>((key, value): &Record) -> Option<T> {
    serde_json::from_slice(value)
        .inspect_err(
            |error| tracing::warn!(key, %error, "a record is restored as it is: it cannot be read"),
        )
        .ok()
}

fn written<T: serde::Serialize>(key: &str, value: &T) -> Record {
    let value =
        serde_json::to_vec(value).expect("our records have string keys and no failing serializer");
    (key.to_owned(), value)
}
