use super::*;

fn hash(text: &str) -> ContentHash {
    ContentHash::of(text.as_bytes())
}

fn check(
    roll_back_to: Option<&str>,
    (current, previous): (Option<&str>, Option<&str>),
    expected: BeforeSwitch<'_>,
) {
    let [roll_back_to, current, previous] = [roll_back_to, current, previous].map(|t| t.map(hash));
    let slots = Slots { current: current.as_ref(), previous: previous.as_ref() };
    assert_eq!(before_switch(roll_back_to.as_ref(), slots), expected, "{slots:?}");
}

#[test]
fn the_document_of_the_last_good_version_becomes_the_previous_one() {
    for previous in [None, Some("0"), Some("1")] {
        check(Some("1"), (Some("1"), previous), BeforeSwitch::Advance);
    }
}

#[test]
fn a_switch_that_was_interrupted_keeps_the_document_to_roll_back_to() {
    for current in [None, Some("2")] {
        check(Some("1"), (current, Some("1")), BeforeSwitch::WriteCurrent);
    }
}

#[test]
fn a_version_that_superseded_an_unfinished_one_does_not_take_it_for_the_last_good_one() {
    check(Some("1"), (Some("2"), Some("1")), BeforeSwitch::WriteCurrent);
    check(Some("1"), (Some("2"), Some("0")), BeforeSwitch::RestorePrevious(&hash("1")));
}

#[test]
fn a_lost_document_of_the_last_good_version_is_restored() {
    for current in [None, Some("2")] {
        check(Some("1"), (current, None), BeforeSwitch::RestorePrevious(&hash("1")));
    }
}

#[test]
fn without_a_last_good_version_the_previous_document_is_left_as_it_is() {
    for current in [None, Some("1")] {
        check(None, (current, Some("0")), BeforeSwitch::WriteCurrent);
        check(None, (current, None), BeforeSwitch::WriteCurrent);
    }
}
