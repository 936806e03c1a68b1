use super::*;

#[test]
fn the_first_refusal_is_told_at_once_and_the_others_in_one_line_a_minute() {
    let (mut refusals, start) = (Refusals::default(), Instant::now());
    let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    assert_eq!(refusals.due(), None);
    let first = refusals.note(one, &Refusal::TooFast, start);
    assert_eq!(
        first.as_deref(),
        Some("refused a connection from 10.0.0.1: too many from one address in a second")
    );
    assert_eq!(refusals.due(), Some(start + PERIOD));
    for (address, refusal) in [
        (one, Refusal::TooFast),
        (one, Refusal::TooFast),
        (other, Refusal::Failed("no certificate".to_owned())),
    ] {
        assert_eq!(refusals.note(address, &refusal, start), None);
    }
    let summary = refusals.summary().unwrap();
    assert_eq!(
        summary,
        "refused 3 more connections in the last minute, 2 of them from 10.0.0.1: \
         1 × no certificate; 2 × too many from one address in a second"
    );
    assert_eq!(refusals.due(), None);
    assert!(refusals.note(one, &Refusal::GaveWay, start).is_some(), "a new minute begins");
    assert_eq!(refusals.summary(), None, "it was told already");
}

#[test]
fn a_flood_from_everywhere_keeps_a_bounded_number_of_addresses() {
    let (mut refusals, now) = (Refusals::default(), Instant::now());
    for number in 0..5_000u32 {
        refusals.note(IpAddr::V4(number.into()), &Refusal::TookTooLong, now);
    }
    assert_eq!(refusals.addresses.len(), ADDRESSES_MAX);
    assert!(refusals.summary().unwrap().starts_with("refused 4999 more connections"));
}
