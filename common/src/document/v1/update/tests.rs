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

fn with_sums() -> String {
    let saved = saved();
    let sums = saved.updates.keys().map(|name| (name.clone(), OwnSums::default())).collect();
    write(&saved.with_sums(sums))
}

#[test]
fn an_update_that_somebody_edited_is_found_by_its_sum() {
    let (text, name) = (with_sums(), "redis".parse().unwrap());
    let own: SavedUpdates = read(&text).unwrap();
    assert_eq!((own.updates, own.edited), (saved().updates, BTreeSet::new()));
    let (before, another) = (ContentHash::of(b"before"), ContentHash::of(b"another"));
    let edited = text.replace(before.as_str(), another.as_str());
    let found: SavedUpdates = read(&edited).unwrap();
    assert_eq!(found.edited, BTreeSet::from([name]));
    let (begin, end) = (text.find(",\"updates\"").unwrap(), text.find(",\"sums\"").unwrap());
    let removed = format!("{}{}", &text[..begin], &text[end..]);
    assert_eq!(read::<SavedUpdates>(&removed).unwrap().edited, found.edited);
}

#[test]
fn what_an_earlier_release_wrote_was_edited_by_nobody() {
    let found: SavedUpdates = read(&with_sums()).unwrap();
    // It reads what it knows and writes that alone.
    let rewritten = SavedUpdates { sums: BTreeMap::new(), ..found };
    let found: SavedUpdates = read(&write(&rewritten)).unwrap();
    assert_eq!((found.sums, found.edited), (BTreeMap::new(), BTreeSet::new()));
    assert_eq!(found.updates, saved().updates);
}

#[test]
fn an_update_of_a_later_release_is_written_with_the_sum_of_its_own_bytes() {
    let later = LATER.replace("HASH", ContentHash::of(b"another").as_str());
    let text = format!("{{\"version\":1,\"updates\":{{\"redis\":{later}}}}}");
    let found: SavedUpdates = read(&text).unwrap();
    let sums = [("redis".parse().unwrap(), OwnSums::default())].into();
    let found: SavedUpdates = read(&write(&found.with_sums(sums))).unwrap();
    assert_eq!(found.edited, BTreeSet::new());
    assert_eq!(found.unreadable.len(), 1);
}
