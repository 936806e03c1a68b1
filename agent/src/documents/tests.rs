use oml_common::document::Verbatim;
use oml_common::document::instance::{PackagedUnit, Workload};

use super::*;
use crate::fixtures;

#[test]
fn a_folder_that_cannot_be_listed_is_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    assert!(components(&paths).unwrap().is_empty());
    std::fs::create_dir_all(&paths.state).unwrap();
    std::fs::write(paths.instances(), "in the way").unwrap();
    assert!(components(&paths).unwrap_err().to_string().starts_with("could not list "));
}

fn instance(drop_in: &str) -> InstanceDocument {
    let workload = Workload::Unit(PackagedUnit { drop_in: drop_in.to_owned() });
    fixtures::document("exporter", "1")
        .edited(|exporter| exporter.workload = Verbatim::seal(workload))
}

fn held(paths: &Paths, slot: Slot) -> Option<InstanceDocument> {
    read(paths, &"exporter".parse().unwrap(), slot).unwrap()
}

#[test]
fn advancing_moves_next_to_current_and_current_to_previous() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let component = "exporter".parse().unwrap();
    let (one, two) = (instance("one"), instance("two"));

    write(&paths, &one, Slot::Next).unwrap();
    advance(&paths, &component).unwrap();
    assert_eq!(held(&paths, Slot::Current).as_ref(), Some(&one));
    assert_eq!(held(&paths, Slot::Previous), None);

    write(&paths, &two, Slot::Next).unwrap();
    advance(&paths, &component).unwrap();
    assert_eq!(held(&paths, Slot::Current).as_ref(), Some(&two));
    assert_eq!(held(&paths, Slot::Previous).as_ref(), Some(&one));
    assert_eq!(held(&paths, Slot::Next), None);
}

#[test]
fn another_document_of_the_workload_takes_the_place_of_every_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (one, two) = (instance("one"), instance("two"));
    let renewed = one.edited(|instance| instance.timing.stop_grace_ms += 1);
    write(&paths, &one, Slot::Previous).unwrap();
    write(&paths, &one, Slot::Next).unwrap();
    replace(&paths, &renewed).unwrap();
    assert_eq!(held(&paths, Slot::Current).as_ref(), Some(&renewed));
    assert_eq!(held(&paths, Slot::Previous).as_ref(), Some(&renewed));
    assert_eq!(held(&paths, Slot::Next), None);

    write(&paths, &two, Slot::Previous).unwrap();
    write(&paths, &two, Slot::Next).unwrap();
    replace(&paths, &one).unwrap();
    assert_eq!(held(&paths, Slot::Current).as_ref(), Some(&one));
    assert_eq!(held(&paths, Slot::Previous).as_ref(), Some(&two));
    assert_eq!(held(&paths, Slot::Next).as_ref(), Some(&two));
}

#[test]
fn a_document_takes_the_place_of_a_folder_and_is_removed_beside_what_others_put_there() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let component = "exporter".parse().unwrap();
    let current = paths.document(&component, Slot::Current);
    std::fs::create_dir_all(&current).unwrap();
    assert!(read(&paths, &component, Slot::Current).is_err());
    let one = instance("one");
    write(&paths, &one, Slot::Next).unwrap();
    advance(&paths, &component).unwrap();
    assert_eq!(held(&paths, Slot::Current).as_ref(), Some(&one));
    let copy = current.with_extension("bak");
    std::fs::copy(&current, &copy).unwrap();
    remove(&paths, &component).unwrap();
    assert!(!current.exists() && copy.exists());
}

#[test]
fn advancing_without_a_next_document_keeps_the_current_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let one = instance("one");
    write(&paths, &one, Slot::Current).unwrap();
    assert!(advance(&paths, &one.component).is_err());
    assert_eq!(held(&paths, Slot::Current), Some(one));
}

#[test]
fn removing_leaves_nothing_and_may_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let one = instance("one");
    write(&paths, &one, Slot::Current).unwrap();
    write(&paths, &one, Slot::Previous).unwrap();
    remove(&paths, &one.component).unwrap();
    remove(&paths, &one.component).unwrap();
    assert_eq!(std::fs::read_dir(paths.instances()).unwrap().count(), 0);
}

#[test]
fn a_damaged_document_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let one = instance("one");
    write(&paths, &one, Slot::Current).unwrap();
    let path = paths.document(&one.component, Slot::Current);
    std::fs::write(&path, "{\"tenant\":").unwrap();
    let error = read(&paths, &one.component, Slot::Current).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is not an instance document", path.display()));
}

#[test]
fn a_copied_document_of_another_component_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let (exporter, redis) = ("exporter".parse().unwrap(), "redis".parse().unwrap());
    write(&paths, &instance("one"), Slot::Current).unwrap();
    let copy = paths.document(&redis, Slot::Current);
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::copy(paths.document(&exporter, Slot::Current), &copy).unwrap();
    for error in
        [read(&paths, &redis, Slot::Current).unwrap_err(), read_held(&paths, &redis).unwrap_err()]
    {
        let expected = format!("{} is the document of exporter", copy.display());
        assert_eq!(error.to_string(), expected);
    }
    assert!(units(&paths, &redis).is_empty());
    assert!(read_held(&paths, &exporter).unwrap().is_some());
}
