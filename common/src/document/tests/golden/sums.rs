//! The bytes of the hashes by which an agent notices edits of its own files. The fixture is in
//! `v1/fixtures/sums`.

use super::*;
use crate::document::update::{InstanceUpdate, OwnSums};

/// The pinned hash of the fixture.
const SUMS: &str = "54bafa4b00fe46b997427752c433d305986fdd6230c287638aec9cbdd60d3f20";

#[test]
fn sums_are_written_in_the_bytes_that_are_pinned() {
    let (name, hash) = ("asterisk", ContentHash::of(b"desired"));
    let update = (name.parse().unwrap(), InstanceUpdate::new(hash.clone()));
    let previous = Some(ContentHash::of(b"previous"));
    let sums = OwnSums { previous, last_good: Some(hash), update: None };
    let saved = SavedUpdates { updates: [update].into(), ..SavedUpdates::default() };
    let saved = saved.with_sums([(name.parse().unwrap(), sums)].into());
    let golden = golden("saved_updates", &saved, &SavedUpdates::default());
    let written = &golden.full;
    assert_eq!(*written, fixture("sums/saved_updates.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), SUMS, "it has another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}
