use super::*;

fn of(millis: &[u64]) -> Option<Figures> {
    Figures::of(millis.iter().copied().map(Duration::from_millis))
}

fn figures(median_us: u64, p90_ms: u64, max_ms: u64) -> Option<Figures> {
    Some(Figures {
        median: Duration::from_micros(median_us),
        p90: Duration::from_millis(p90_ms),
        max: Duration::from_millis(max_ms),
    })
}

#[test]
fn no_runs_have_no_figures() {
    assert_eq!(of(&[]), None);
}

#[test]
fn one_run_is_its_own_median_and_maximum() {
    assert_eq!(of(&[7]), figures(7_000, 7, 7));
}

#[test]
fn the_median_of_an_even_number_of_runs_is_the_mean_of_the_two_in_the_middle() {
    assert_eq!(of(&[4, 1, 3, 2]), figures(2_500, 4, 4));
}

#[test]
fn p90_is_the_ninth_of_ten_sorted_runs() {
    assert_eq!(of(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), figures(5_500, 9, 10));
}
