//! The field trials: what was tried on real hosts, which `docs/field-trials.md` lists with the test of each.

/// The variable with which `cargo xtask field` makes the end-to-end tests run only those that the page names.
pub const ONLY: &str = "OML_FIELD_ONLY";
/// The variable that says how many random sequences are played.
pub const SEQUENCES: &str = "OML_FIELD_SEQUENCES";
/// The variable with the seed of the first sequence.
pub const SEED: &str = "OML_FIELD_SEED";
/// The page that operators read.
pub const PAGE: &str = include_str!("../../docs/field-trials.md");

/// One row of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTrial<'a> {
    /// What was done to a host or said to a program.
    pub tried: &'a str,
    /// What happens then.
    pub happens: &'a str,
    /// The names of the tests that show it.
    pub tests: Vec<&'a str>,
}

/// Returns the rows of all tables of the page.
#[must_use]
pub fn trials(page: &str) -> Vec<FieldTrial<'_>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| tried |"));
    rows.map(trial).collect()
}

/// The heading of the trials that need no host.
const WITHOUT_HOST: &str = "## Shown without a host";

/// Returns the names of the tests that need no host.
#[must_use]
pub fn without_host(page: &str) -> Vec<&str> {
    let (_, rest) = page.split_once(WITHOUT_HOST).unwrap_or_default();
    let (section, _) = rest.split_once("\n## ").unwrap_or((rest, ""));
    trials(section).into_iter().flat_map(|trial| trial.tests).collect()
}

/// Returns true if the page names this test.
#[must_use]
pub fn names(test: &str) -> bool {
    trials(PAGE).iter().any(|trial| trial.tests.contains(&test))
}

/// Returns true if only the tests that the page names are to run.
#[must_use]
pub fn is_alone() -> bool {
    std::env::var_os(ONLY).is_some()
}

fn trial(row: &str) -> FieldTrial<'_> {
    let row = row.trim().trim_start_matches("| ").trim_end_matches(" |");
    let (tried, rest) = row.split_once(" | ").unwrap_or((row, ""));
    let (happens, tests) = rest.rsplit_once(" | ").unwrap_or((rest, ""));
    FieldTrial { tried, happens, tests: tests.split('`').skip(1).step_by(2).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_page_has_an_input_an_outcome_and_its_tests() {
        let page = "# Trials\n\n| tried | happens | test |\n|---|---|---|\n\
                    | `a` by hand | it runs | `first`, `second` |\n";
        let row =
            FieldTrial { tried: "`a` by hand", happens: "it runs", tests: vec!["first", "second"] };
        assert_eq!(trials(page), [row]);
        assert!(without_host(page).is_empty());
        let more = format!("{page}{WITHOUT_HOST}\n\n| c | it runs | `third` |\n\n## Last\n");
        assert_eq!(without_host(&more), ["third"]);
    }
}
