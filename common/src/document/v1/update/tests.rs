//! What a later release wrote of one update costs no other one.

use super::*;
use crate::document::{read, write};

const LATER: &str = r#"{"desired_hash":"HASH","stage":{"name":"measuring","since":7},"x":[1]}"#;

fn saved() -> SavedUpdates {
    let update = InstanceUpdate::new(ContentHash::of(b"desired"));
    let previous = LastGood::Previous(ContentHash::of(b"before"));
    let update = InstanceUpdate { last_good: previous, ..update };
    SavedUpdates { updates: [("redis".parse().unwrap(), update)].into(), ..SavedUpdates::default() }
}

#[test]
fn an_update_at_an_unknown_stage_is_kept_in_its_bytes_and_the_others_are_read() {
    let own = saved();
    let hash = ContentHash::of(b"another");
    let later = LATER.replace("HASH", hash.as_str());
    let text =
        write(&own).replace("\"updates\":{", &format!("\"updates\":{{\"asterisk\":{later},"));
    let found: SavedUpdates = read(&text).unwrap();
    assert_eq!(found.updates, own.updates);
    let unreadable = &found.unreadable[&"asterisk".parse().unwrap()];
    assert_eq!(unreadable.desired_hash.as_ref(), Some(&hash));
    assert!(unreadable.why.contains("measuring"), "{}", unreadable.why);
    assert_eq!(write(&found), text);
}

#[test]
fn what_cannot_be_read_is_written_in_place_of_what_was_made_meanwhile() {
    let mut saved = saved();
    let name: ComponentName = "redis".parse().unwrap();
    let text = format!("{{\"version\":1,\"updates\":{{\"redis\":{}}}}}", LATER);
    let later: SavedUpdates = read(&text).unwrap();
    saved.unreadable = later.unreadable;
    assert_eq!(saved.unreadable[&name].desired_hash, None, "no hash at all");
    assert_eq!(write(&saved), text);
}
