//! What a restored controller begins with. Its backup may be older than what
//! the hosts run, so it gives nothing to anybody until an operator says again
//! what shall run; that then goes out in waves like any other change.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::assign;
use oml_common::rollout::{Rollout, State};
use oml_common::time::Timestamp;
use serde::de::DeserializeOwned;

use crate::records::values::{Assigned, Head};

const TARGETS: &str = "targets/";
const ASSIGNMENTS: &str = "assignments/";
const ROLLOUTS: &str = "rollouts/";
const HEADS: &str = "heads/";
/// Why every rollout is paused.
const WHY: &str = "restored from a backup; apply again";

/// A key and its value.
pub(super) type Record = (String, Vec<u8>);

/// The same records without pointers, with every node undecided and every
/// rollout paused.
pub(super) fn standstill(records: Vec<Record>, epoch: u64, now: Timestamp) -> Vec<Record> {
    let rollouts: BTreeMap<String, Rollout> = records
        .iter()
        .filter_map(|record| Some((record.0.strip_prefix(ROLLOUTS)?.to_owned(), read(record)?)))
        .collect();
    let pointed_at = |record: &Record| record.0.starts_with(TARGETS);
    let kept = records.into_iter().filter(|record| !pointed_at(record));
    kept.map(|record| still(&record, &rollouts, (epoch, now)).unwrap_or(record)).collect()
}

fn still(
    record: &Record,
    rollouts: &BTreeMap<String, Rollout>,
    (epoch, now): (u64, Timestamp),
) -> Option<Record> {
    let key = record.0.as_str();
    if key.starts_with(ASSIGNMENTS) {
        let held: Assigned = read(record)?;
        return Some(written(key, &assign::undecided(&held.assignment, epoch)));
    }
    if key.starts_with(ROLLOUTS) {
        let rollout = Rollout {
            from: None,
            state: State::Paused { why: WHY.to_owned() },
            since: now,
            moved: BTreeSet::new(),
            turned: BTreeSet::new(),
            ..read(record)?
        };
        return Some(written(key, &rollout));
    }
    let tenant = key.strip_prefix(HEADS)?;
    let head: Head = read(record)?;
    // Nothing is known to run, so every node is on the way of the next change.
    let returns_to = rollouts.get(tenant).and_then(Rollout::returns_to);
    let current = returns_to.unwrap_or(head.current);
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
