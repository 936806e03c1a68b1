//! Conditions: when a component or a variable of a catalog exists. A condition compares the
//! values of settings and can do nothing else, so it is checked as a whole without a tenant.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::text::printable::{printable, shortened};
use crate::text::problem::{Problem, Problems};

use super::setting::{NumberRange, Setting};

mod read;

pub(super) use self::read::read;

/// The length at which a value is cut in a reason.
const SHOWN_MAX: usize = 80;

/// Alternatives, of which one must hold. None always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition(pub(super) Vec<AllOf>);

/// Tests that must all hold.
pub(super) type AllOf = Vec<SettingTest>;

/// A test of the value of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingTest {
    pub setting: String,
    pub test: ValueTest,
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Within(NumberRange),
}

/// The values of settings, by name.
pub type SettingValues<'v> = BTreeMap<&'v str, &'v str>;

impl Condition {
    /// Returns the settings that it names, each as often as it names it.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        self.tests().map(|test| test.setting.as_str())
    }

    /// Whether it holds for these values.
    #[must_use]
    pub fn holds(&self, values: &SettingValues<'_>) -> bool {
        self.0.is_empty() || self.0.iter().any(|all| all.iter().all(|test| test.holds(values)))
    }

    /// Returns why it does not hold for these values; `None` if it does.
    #[must_use]
    pub fn unmet(&self, values: &SettingValues<'_>) -> Option<String> {
        if self.holds(values) {
            return None;
        }
        let mut facts: Vec<String> = Vec::new();
        for test in self.tests().filter(|test| !test.holds(values)) {
            let fact = format!("{} is {}", test.setting, shown(values, &test.setting));
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        Some(format!("only if {self}, and {}", facts.join(" and ")))
    }

    /// Adds a problem for every test that cannot be meant: of a setting that there is not, or
    /// with a value that the setting cannot have.
    pub(super) fn check(
        &self,
        path: &str,
        settings: &BTreeMap<String, Setting>,
        problems: &mut Problems,
    ) {
        for test in self.tests() {
            let place = format!("{path}.{}", test.setting);
            let at = |message: String| Problem::new(place.clone(), message);
            let Some(setting) = settings.get(&test.setting) else {
                let problem = at(format!("{} is not a setting of the catalog", test.setting));
                let known = settings.keys().map(String::as_str);
                problems.push(problem.suggest(&test.setting, known));
                continue;
            };
            match &test.test {
                ValueTest::Within(_) if !setting.kind.is_number() => {
                    let kind = setting.kind.as_str();
                    let problem = at(format!("min and max are for numbers, and it is a {kind}"));
                    problems.push(problem.hint("compare it with a value, or with several"));
                }
                ValueTest::Within(_) => {}
                ValueTest::OneOf(values) | ValueTest::NoneOf(values) => {
                    let wrong = values.iter().filter_map(|value| setting.check(value).err());
                    problems.0.extend(wrong.map(|mismatch| mismatch.problem(at)));
                }
            }
        }
    }

    fn tests(&self) -> impl Iterator<Item = &SettingTest> {
        self.0.iter().flatten()
    }
}

impl SettingTest {
    fn holds(&self, values: &SettingValues<'_>) -> bool {
        let value = values.get(self.setting.as_str()).copied().unwrap_or_default();
        match &self.test {
            ValueTest::OneOf(known) => known.iter().any(|known| known == value),
            ValueTest::NoneOf(known) => known.iter().all(|known| known != value),
            ValueTest::Within(range) => value.parse().is_ok_and(|number| range.contains(number)),
        }
    }
}

/// Returns a value as it is shown to people.
fn shown(values: &SettingValues<'_>, setting: &str) -> String {
    let value = values.get(setting).copied().unwrap_or_default();
    if value.is_empty() { "empty".to_owned() } else { shortened(&printable(value), SHOWN_MAX) }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = |all: &AllOf| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let alternatives: Vec<String> = self.0.iter().map(|it| all(it).join(" and ")).collect();
        f.write_str(&alternatives.join(", or "))
    }
}

impl Display for SettingTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let words = |values: &[String]| {
            let word = |value: &String| {
                if value.is_empty() { "empty".to_owned() } else { printable(value) }
            };
            values.iter().map(word).collect::<Vec<_>>().join(" or ")
        };
        write!(f, "{} is ", self.setting)?;
        match &self.test {
            ValueTest::OneOf(values) => f.write_str(&words(values)),
            ValueTest::NoneOf(values) => write!(f, "not {}", words(values)),
            ValueTest::Within(NumberRange { min: Some(min), max: None }) => {
                write!(f, "at least {min}")
            }
            ValueTest::Within(NumberRange { min: None, max: Some(max) }) => {
                write!(f, "at most {max}")
            }
            ValueTest::Within(NumberRange { min, max }) => {
                let (min, max) = (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX));
                write!(f, "from {min} to {max}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
