use super::*;
use crate::decide::update::Outcome;
use crate::time::Timestamp;

#[test]
fn an_instance_with_nothing_to_change_that_has_to_be_brought_back_has_drifted() {
    let (one, two) = (ContentHash::of(b"1"), ContentHash::of(b"2"));
    for step in [Step::Start, Step::Create, Step::Pull] {
        assert!(is_drift(&step, Some(&one), Some(&one), None), "{step:?}");
    }
    // The text of its documents is the agent's own.
    assert!(!is_drift(&Step::RewriteConfig, Some(&one), Some(&one), None));
    // It is being changed, installed or removed.
    assert!(!is_drift(&Step::Start, Some(&one), Some(&two), None));
    assert!(!is_drift(&Step::Create, None, Some(&one), None));
    assert!(!is_drift(&Step::Start, None, None, None));
}

#[test]
fn a_change_that_is_failing_is_no_drift() {
    let hash = ContentHash::of(b"1");
    let update = InstanceUpdate::new(hash.clone());
    let drifted = |update| is_drift(&Step::Start, Some(&hash), Some(&hash), Some(update));
    assert!(drifted(&update));
    let retry = Outcome::Retry("docker does not answer".to_owned());
    assert!(!drifted(&update.clone().after(&Step::Start, retry, Timestamp(0))));
}
