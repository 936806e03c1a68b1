use super::*;

const KNOWN: &[Timestamp] = &[Timestamp(10), Timestamp(20)];

/// Nothing was found since the ends at 10 and 20.
fn found() -> FoundEnds<'static> {
    FoundEnds {
        known: KNOWN,
        with_other: None,
        signalled: Vec::new(),
        shown: None,
        restarts_before: None,
        restarts: 0,
        started_at: Timestamp(35),
    }
}

fn at(times: &[u64]) -> Vec<Timestamp> {
    times.iter().copied().map(Timestamp).collect()
}

#[test]
fn every_end_counts_once() {
    assert_eq!(merge(found()), RecentEnds { all: at(&[10, 20]), new_last: None });
    let again =
        FoundEnds { signalled: at(&[20, 40, 30, 40]), shown: Some(Timestamp(40)), ..found() };
    let all = at(&[10, 20, 30, 40]);
    assert_eq!(merge(again), RecentEnds { all, new_last: Some(Timestamp(40)) });
}

#[test]
fn ends_with_another_drop_in_say_nothing_of_this_one() {
    let other = at(&[30]);
    let of_other = FoundEnds {
        known: &[],
        with_other: Some(&other),
        signalled: at(&[33]),
        shown: Some(Timestamp(30)),
        ..found()
    };
    assert_eq!(merge(of_other.clone()), RecentEnds { all: Vec::new(), new_last: None });
    let shown = FoundEnds { shown: Some(Timestamp(40)), ..of_other };
    assert_eq!(merge(shown), RecentEnds { all: at(&[40]), new_last: Some(Timestamp(40)) });
}

#[test]
fn missed_ends_stand_where_the_unit_was_started_last() {
    let missed =
        FoundEnds { signalled: at(&[30, 40]), restarts_before: Some(1), restarts: 6, ..found() };
    let all = at(&[10, 20, 30, 35, 35, 40]);
    assert_eq!(merge(missed), RecentEnds { all, new_last: Some(Timestamp(40)) });
}

#[test]
fn restarts_of_which_no_end_is_known_follow_missed_ends() {
    assert_eq!(missed(None, 9, 0), 0, "nothing was looked at before");
    assert_eq!(missed(Some(9), 9, 0), 0);
    assert_eq!(missed(Some(8), 9, 0), 0, "the end was known before its restart");
    assert_eq!(missed(Some(4), 9, 2), 2);
    assert_eq!(missed(Some(4), 9, 7), 0);
    assert_eq!(missed(Some(9), 1, 0), 0, "somebody started it");
    assert_eq!(missed(Some(0), 100_000, 0), 60);
}
