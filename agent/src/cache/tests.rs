//! A cache that is lost, broken or foreign stops nothing.

use oml_common::document::Verbatim;
use oml_common::document::assignment::{Assignment, Content};
use oml_common::id::{ContentHash, Generation};

use super::*;

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(&Paths::below(folder.path()));
    (folder, cache)
}

fn assignment() -> AssignmentDocument {
    Verbatim::seal(Assignment {
        generation: Generation { epoch: 1, number: 7 },
        tenant: "acme".parse().unwrap(),
        node: "voice-1".parse().unwrap(),
        content: Content::default(),
    })
}

#[test]
fn what_was_kept_is_found_again() {
    let (_folder, cache) = cache();
    let updates = Updates::from([(
        "asterisk".parse().unwrap(),
        InstanceUpdate::new(ContentHash::of(b"goal")),
    )]);
    cache.save_assignment(&assignment()).unwrap();
    let kept = SavedUpdates { updates, ..SavedUpdates::default() };
    cache.save_updates(&kept).unwrap();
    assert_eq!(cache.assignment(None), Some(assignment()));
    assert_eq!(cache.updates(), kept);
}

#[test]
fn nothing_kept_is_nothing_found() {
    let (_folder, cache) = cache();
    assert_eq!(cache.assignment(None), None);
    assert_eq!(cache.updates(), SavedUpdates::default());
}

#[test]
fn a_broken_file_is_set_aside() {
    let (_folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    for broken in ["", "{", "{\"generation\": 1}", "\u{0}"] {
        std::fs::write(&cache.assignment, broken).unwrap();
        assert_eq!(cache.assignment(None), None);
        assert!(!cache.assignment.exists(), "{broken:?} was left in its place");
    }
}

#[test]
fn an_assignment_of_another_node_is_set_aside() {
    let (_folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    let (tenant, node) = ("acme".parse().unwrap(), "voice-2".parse().unwrap());
    assert_eq!(cache.assignment(Some((&tenant, &node))), None);
    assert!(!cache.assignment.exists());
}

#[test]
fn an_update_that_only_a_later_release_reads_costs_no_other_one() {
    let (_folder, cache) = cache();
    let update = InstanceUpdate::new(ContentHash::of(b"desired"));
    let updates = Updates::from([("asterisk".parse().unwrap(), update)]);
    cache
        .save_updates(&SavedUpdates { updates: updates.clone(), ..SavedUpdates::default() })
        .unwrap();
    let later = "\"updates\":{\"redis\":{\"stage\":{\"name\":\"measuring\"}},";
    let text = std::fs::read_to_string(&cache.updates).unwrap().replace("\"updates\":{", later);
    std::fs::write(&cache.updates, &text).unwrap();
    let found = cache.updates();
    assert_eq!((&found.updates, found.unreadable.len()), (&updates, 1));
    cache.save_updates(&found).unwrap();
    assert!(std::fs::read_to_string(&cache.updates).unwrap().contains("measuring"));
}
