use super::*;

#[test]
fn the_first_refusal_is_logged_at_once_and_the_others_are_summed_up_for_a_minute() {
    let (mut refusals, start) = (Refusals::default(), Instant::now());
    let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    assert_eq!(refusals.due(), None);
    assert!(refusals.note(one, &Refusal::TooFast, start));
    assert_eq!(refusals.due(), Some(start + PERIOD));
    for (address, refusal) in [
        (one, Refusal::TooFast),
        (one, Refusal::TooFast),
        (other, Refusal::Failed("no certificate".to_owned())),
        (other, Refusal::Failed("an unknown authority".to_owned())),
        (one, Refusal::TooFast),
    ] {
        assert!(!refusals.note(address, &refusal, start));
    }
    let reasons = "2 × failed, the last: an unknown authority; \
                   3 × too many from one address in a second";
    let expected = Summary { total: 5, most: one, from_most: 3, reasons: reasons.to_owned() };
    assert_eq!(refusals.summary(), Some(expected));
    assert_eq!(refusals.due(), None);
    assert!(refusals.note(one, &Refusal::Evicted, start), "a new minute begins");
    assert_eq!(refusals.summary(), None, "it was logged already");
}

#[test]
fn a_flood_from_everywhere_keeps_a_bounded_number_of_addresses() {
    let (mut refusals, now) = (Refusals::default(), Instant::now());
    for number in 0..5_000u32 {
        refusals.note(IpAddr::V4(number.into()), &Refusal::TookTooLong, now);
    }
    assert_eq!(refusals.addresses.len(), ADDRESSES_MAX);
    assert_eq!(refusals.summary().unwrap().total, 4_999);
}
