//! Every row of docs/field-trials.md says what was tried, what happens, and which test on real hosts shows it.

use oml_tests::field::{PAGE, trials};

use crate::sources::all;

#[test]
fn every_field_trial_has_a_test_on_real_hosts() {
    let trials = trials(PAGE);
    assert!(trials.len() > 20, "only {} trials were found", trials.len());
    let suites = all().into_iter().filter(|source| {
        source.path.starts_with("tests/e2e/") || source.path.starts_with("tests/field/")
    });
    let text: String = suites.map(|source| source.text).collect();
    for trial in trials {
        let shown = format!("{trial:?}");
        assert!(!trial.tried.is_empty() && !trial.happens.is_empty(), "an empty cell: {shown}");
        assert!(!trial.tests.is_empty(), "no test: {shown}");
        for test in trial.tests {
            assert!(text.contains(&format!("\"{test}\"")), "no test is named {test}: {shown}");
        }
    }
}
