use super::*;

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

/// The versions of the documents on disk.
struct OnDisk {
    current: Option<&'static str>,
    previous: Option<&'static str>,
}

fn on_disk(current: Option<&'static str>, previous: Option<&'static str>) -> OnDisk {
    OnDisk { current, previous }
}

fn check(roll_back_to: Option<&str>, found: OnDisk, expected: BeforeSwitch<'_>) {
    let versions = [roll_back_to, found.current, found.previous];
    let [roll_back_to, current, previous] = versions.map(|version| version.map(hash));
    let slots = Slots { current: current.as_ref(), previous: previous.as_ref() };
    assert_eq!(before_switch(roll_back_to.as_ref(), slots), expected, "{slots:?}");
}

#[test]
fn the_document_of_the_last_good_version_becomes_the_previous_one() {
    for previous in [None, Some("0"), Some("1")] {
        check(Some("1"), on_disk(Some("1"), previous), BeforeSwitch::Advance);
    }
}

#[test]
fn a_switch_that_was_interrupted_keeps_the_document_to_roll_back_to() {
    for current in [None, Some("2")] {
        check(Some("1"), on_disk(current, Some("1")), BeforeSwitch::WriteCurrent);
    }
}

#[test]
fn a_version_that_superseded_an_unfinished_one_does_not_take_it_for_the_last_good_one() {
    check(Some("1"), on_disk(Some("2"), Some("1")), BeforeSwitch::WriteCurrent);
    check(Some("1"), on_disk(Some("2"), Some("0")), BeforeSwitch::RestorePrevious(&hash("1")));
}

#[test]
fn a_lost_document_of_the_last_good_version_is_restored() {
    for current in [None, Some("2")] {
        check(Some("1"), on_disk(current, None), BeforeSwitch::RestorePrevious(&hash("1")));
    }
}

#[test]
fn without_a_last_good_version_the_previous_document_is_left_as_it_is() {
    for current in [None, Some("1")] {
        check(None, on_disk(current, Some("0")), BeforeSwitch::WriteCurrent);
        check(None, on_disk(current, None), BeforeSwitch::WriteCurrent);
    }
}
