//! A cache that is lost, broken or foreign stops nothing.

use oml_common::document::Verbatim;
use oml_common::document::assignment::{Assignment, Content};
use oml_common::document::update::OwnSums;
use oml_common::id::{ContentHash, Generation};

use super::*;

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(&Paths::below(folder.path()), "machine-1");
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
        InstanceUpdate::new(ContentHash::of(b"desired")),
    )]);
    cache.save_assignment(&assignment()).unwrap();
    let kept = SavedUpdates { updates, ..SavedUpdates::default() };
    cache.save_updates(&kept).unwrap();
    assert_eq!(cache.assignment(None), Ok(Some(assignment())));
    assert_eq!(cache.updates(), kept);
}

#[test]
fn nothing_kept_is_nothing_found() {
    let (_folder, cache) = cache();
    assert_eq!(cache.assignment(None), Ok(None));
    assert_eq!(cache.updates(), SavedUpdates::default());
}

#[test]
fn copies_of_documents_are_removed_once_another_agent_took_the_assignment() {
    let (_folder, cache) = cache();
    let copy = cache.paths.document(&"asterisk".parse().unwrap(), Slot::Settled);
    let keep = || {
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::write(&copy, "a copy").unwrap();
    };
    cache.save_assignment(&assignment()).unwrap();
    keep();
    cache.check_copies(Some(&assignment())).unwrap();
    assert!(copy.exists(), "the same agent took it");

    let later = Assignment { node: "voice-2".parse().unwrap(), ..(*assignment()).clone() };
    let later = Verbatim::seal(later);
    cache.check_copies(Some(&later)).unwrap();
    assert!(!copy.exists(), "an agent that knows no copies took the other one");
    keep();
    cache.check_copies(Some(&later)).unwrap();
    assert!(copy.exists(), "it was kept after that");
    cache.check_copies(None).unwrap();
    assert!(!copy.exists(), "nobody knows what was taken meanwhile");
}

#[test]
fn sums_are_forgotten_once_another_agent_took_the_assignment() {
    let (_folder, cache) = cache();
    let sums = || [("asterisk".parse().unwrap(), OwnSums::default())].into();
    cache.save_assignment(&assignment()).unwrap();
    cache.save_updates(&SavedUpdates::default().with_sums(sums())).unwrap();
    cache.check_copies(Some(&assignment())).unwrap();
    assert_eq!(cache.updates().sums, sums(), "the same agent took it");
    let later = Assignment { node: "voice-2".parse().unwrap(), ..(*assignment()).clone() };
    cache.check_copies(Some(&Verbatim::seal(later))).unwrap();
    assert_eq!(cache.updates(), SavedUpdates::default());
}

#[test]
fn a_broken_file_is_set_aside() {
    let (_folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    for broken in ["", "{", "{\"generation\": 1}", "\u{0}"] {
        std::fs::write(&cache.assignment, broken).unwrap();
        assert_eq!(cache.assignment(None), Ok(None));
        assert!(!cache.assignment.exists(), "{broken:?} was left in its place");
    }
}

#[test]
fn an_assignment_of_another_node_is_set_aside() {
    let (_folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    let (tenant, node) = ("acme".parse().unwrap(), "voice-2".parse().unwrap());
    let not_own = cache.assignment(Some((&tenant, &node))).unwrap_err();
    assert_eq!(
        not_own.to_string(),
        "the cached assignment is for acme/voice-1 and this host is acme/voice-2, so nothing is \
         done until the controller sends its own"
    );
    assert!(!cache.assignment.exists());
}

#[test]
fn an_assignment_that_was_sent_to_another_machine_is_not_acted_on() {
    let (folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    let copy = Cache::new(&Paths::below(folder.path()), "machine-2");
    let (found, own) = ("machine-1".to_owned(), "machine-2".to_owned());
    assert_eq!(copy.assignment(None), Err(NotOwn::Machine { found, own }));
    assert_eq!(cache.assignment(None), Ok(Some(assignment())), "it is left in its place");
    // The controller sends it to the other machine too, as after another enrolment.
    copy.save_assignment(&assignment()).unwrap();
    assert_eq!(copy.assignment(None), Ok(Some(assignment())));
    assert!(cache.assignment(None).is_err());
}

#[test]
fn an_assignment_of_an_earlier_release_belongs_to_the_machine_that_finds_it() {
    let (folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    std::fs::remove_file(&cache.machine_file).unwrap();
    assert_eq!(cache.assignment(None), Ok(Some(assignment())));
    let copy = Cache::new(&Paths::below(folder.path()), "machine-2");
    assert!(copy.assignment(None).is_err());
}

#[test]
fn a_machine_without_an_id_acts_on_every_assignment() {
    let (folder, cache) = cache();
    cache.save_assignment(&assignment()).unwrap();
    let nameless = Cache::new(&Paths::below(folder.path()), "");
    assert_eq!(nameless.assignment(None), Ok(Some(assignment())));
    nameless.save_assignment(&assignment()).unwrap();
    assert_eq!(cache.assignment(None), Ok(Some(assignment())));
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

#[test]
fn an_assignment_whose_machine_only_a_later_release_reads_is_not_acted_on() {
    let (folder, cache) = cache();
    let later = "{\"version\":2,\"owner\":{\"machine\":\"machine-2\"}}";
    cache.save_assignment(&assignment()).unwrap();
    std::fs::write(&cache.machine_file, later).unwrap();
    let not_own = cache.assignment(None).unwrap_err();
    assert_eq!(
        not_own.to_string(),
        "a note of the machine has version 2, and this release reads versions up to 1, so it is not \
         known whether the cached assignment was sent to this host, and nothing is done until the \
         controller sends its own"
    );
    assert_eq!(std::fs::read_to_string(&cache.machine_file).unwrap(), later);
    // What the controller sends now was sent to this machine.
    cache.save_assignment(&assignment()).unwrap();
    assert_eq!(cache.assignment(None), Ok(Some(assignment())));
    assert!(Cache::new(&Paths::below(folder.path()), "machine-2").assignment(None).is_err());
}
