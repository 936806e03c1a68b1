//! A duration that was written is read back unchanged.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_printed_duration_is_read_back(ms in 0u64..=366 * 86_400_000) {
        prop_assert_eq!(parse_duration_ms(&print_duration_ms(ms)), Ok(ms));
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".*") {
        let _outcome = parse_duration_ms(&text);
    }
}

#[test]
fn a_number_without_unit_is_refused() {
    for text in ["", "10", "s", "1.5s", "-1s", "10 s", "99999999999999999999s", "367d"] {
        assert!(parse_duration_ms(text).is_err(), "{text:?} was accepted");
    }
}

#[test]
fn a_duration_that_is_too_long_is_distinguished_from_a_malformed_one() {
    for text in ["367d", "9999999999d", "99999999999999999999s"] {
        assert_eq!(parse_duration_ms(text), Err(InvalidDuration::TooLong), "{text:?}");
    }
    for text in ["", "d", "5", "99999999999999999999"] {
        assert_eq!(parse_duration_ms(text), Err(InvalidDuration::Form), "{text:?}");
    }
}

#[test]
fn spans_read_naturally() {
    let shown: Vec<String> = [850, 12_000, 185_000, 7_800_000, 356_400_000]
        .iter()
        .map(|ms| Span(*ms).to_string())
        .collect();
    assert_eq!(shown, ["850ms", "12s", "3m 5s", "2h 10m", "4d 3h"]);
}
