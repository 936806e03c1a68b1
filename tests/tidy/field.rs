//! Every row of docs/field-trials.md says what was tried, what happens, and which test shows it: one on real
//! hosts, or one of those that need none.

use oml_tests::field::{PAGE, trials, without_host};

use crate::sources::all;

#[test]
fn every_field_trial_has_a_test() {
    let trials = trials(PAGE);
    assert!(trials.len() > 20, "only {} trials were found", trials.len());
    let sources = all();
    let alone = without_host(PAGE);
    let suites = sources.iter().filter(|source| {
        source.path.starts_with("tests/e2e/") || source.path.starts_with("tests/field/")
    });
    let text: String = suites.map(|source| source.text.as_str()).collect();
    let exists = |test: &str| match alone.contains(&test) {
        true => sources.iter().any(|source| source.text.contains(&format!("fn {test}("))),
        false => text.contains(&format!("\"{test}\"")),
    };
    for trial in trials {
        let shown = format!("{trial:?}");
        assert!(!trial.tried.is_empty() && !trial.happens.is_empty(), "an empty cell: {shown}");
        assert!(!trial.tests.is_empty(), "no test: {shown}");
        for test in trial.tests {
            assert!(exists(test), "no test is named {test}: {shown}");
        }
    }
}
