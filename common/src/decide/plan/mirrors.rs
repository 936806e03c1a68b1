//! Mirrors: rules by which images are pulled from another place than their names say.
//!
//! An image keeps its name. Only where it is pulled from changes, so a rule that is added or
//! removed replaces no container.

use crate::id::{
    DOCKER_HUB, ImageReference, InvalidReference, REGISTRY_RULE, Repository, can_be_named,
    registry_of_address,
};
use crate::text::problem::{Problem, Problems};

/// The setting that holds the rules.
const PATH: &str = "mirrors";

/// The rules, the one with the longest prefix first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    rules: Vec<Rule>,
}

/// One rule: what begins with `from` is pulled from `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// The prefix as it was written.
    written: String,
    /// The segments that the name of an image begins with, in their one spelling.
    from: String,
    to: String,
}

impl Mirrors {
    /// Reads rules such as `docker.io/omnileads/` and `mirror.example.com:5000/oml/`.
    ///
    /// # Errors
    /// Returns every rule that is not valid, is there twice, or leads to another rule.
    pub fn parse<'a>(
        rules: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut read: Vec<Rule> = Vec::new();
        for (written, target) in rules {
            let mut part = |text: &str| {
                prefix(text).map_err(|error| problems.push(refused(written, text, error))).ok()
            };
            let (Some(from), Some(to)) = (part(written), part(target)) else { continue };
            read.push(Rule { written: written.to_owned(), from, to });
        }
        read.sort_by_key(|rule| std::cmp::Reverse(rule.from.len()));
        check_twice(&read, &mut problems);
        check_chains(&read, &mut problems);
        problems.into_result(Self { rules: read })
    }

    /// Returns the place from which an image is pulled; `None` if that is where its name says.
    /// The rule with the longest prefix applies, once.
    ///
    /// # Errors
    /// Returns an error if the name of that place would be too long.
    pub fn source(&self, repository: &Repository) -> Result<Option<Repository>, SourceTooLong> {
        let name = repository.spelled_out();
        let found = self.rules.iter().find_map(|rule| Some((rule, below(&name, &rule.from)?)));
        let Some((rule, rest)) = found else { return Ok(None) };
        let source = format!("{}{rest}", rule.to).parse();
        let too_long = |_too_long| SourceTooLong { rule: rule.written.clone() };
        source.map(Some).map_err(too_long)
    }
}

/// A rule makes the name of an image too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule {rule:?} of [mirrors] makes the name of its image longer than 255 characters")]
pub struct SourceTooLong {
    rule: String,
}

/// Returns what follows the prefix, if a name begins with its segments.
fn below<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    name.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is wrong with a text, and what to write instead.
struct Refusal {
    message: String,
    hint: String,
}

/// Reads a prefix, which may end in a slash, and returns it in its one spelling.
fn prefix(text: &str) -> Result<String, Refusal> {
    let example = "mirror.example.com:5000/omnileads/";
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    if !trimmed.contains('/') {
        return registry_of_address(trimmed).filter(|key| can_be_named(key)).ok_or_else(|| {
            let message = format!("it is not {REGISTRY_RULE}, with a path behind it or without");
            Refusal { message, hint: format!("write it as docker.io/omnileads/ or {example}") }
        });
    }
    let ImageReference { repository, version } =
        trimmed.parse().map_err(|error: InvalidReference| Refusal {
            message: error.to_string(),
            hint: error.hint().unwrap_or_else(|| format!("write it as {example}")),
        })?;
    let (registry, path) = (repository.registry(), repository.path());
    if version.is_some() {
        let message = "a rule is for every version of an image".to_owned();
        return Err(Refusal { message, hint: format!("write {repository}") });
    }
    if registry == DOCKER_HUB && !path.contains('/') && !text.ends_with('/') {
        let message = "it can be a namespace or an official image".to_owned();
        let hint = format!("write {registry}/{path}/ or {registry}/library/{path}");
        return Err(Refusal { message, hint });
    }
    Ok(format!("{registry}/{path}"))
}

fn at(written: &str, message: String) -> Problem {
    Problem::new(format!("{PATH}.{written:?}"), message)
}

fn refused(written: &str, text: &str, Refusal { message, hint }: Refusal) -> Problem {
    at(written, format!("{text:?}: {message}")).hint(hint)
}

fn check_twice(rules: &[Rule], problems: &mut Problems) {
    for (index, rule) in rules.iter().enumerate() {
        if let Some(other) = rules.iter().take(index).find(|other| other.from == rule.from) {
            let message = format!("the rule {:?} is for the same images", other.written);
            problems.push(at(&rule.written, message).hint("remove one of them"));
        }
    }
}

/// Refuses a rule whose target another rule, or the same one, is for: it would depend on the
/// order of the rules where an image is, and two of them could go in a circle.
fn check_chains(rules: &[Rule], problems: &mut Problems) {
    for rule in rules {
        let is_for = |other: &&Rule| {
            below(&rule.to, &other.from).is_some() || below(&other.from, &rule.to).is_some()
        };
        if let Some(other) = rules.iter().find(is_for) {
            let message = match other.from == rule.from {
                true => format!("its target {} is in the images that it is for", rule.to),
                false => format!("its target {} is one of the rule {:?}", rule.to, other.written),
            };
            problems.push(at(&rule.written, message).hint("name the place where the images are"));
        }
    }
}

#[cfg(test)]
mod tests {
    //! Rules as administrators of closed networks write them.

    use super::*;

    fn mirrors(rules: &[(&str, &str)]) -> Result<Mirrors, String> {
        Mirrors::parse(rules.iter().copied()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_rule_with_the_longest_prefix_says_where_an_image_is_pulled() {
        let mirrors = mirrors(&[
            ("docker.io/", "mirror.corp:5000/hub/"),
            ("index.docker.io/omnileads/", "mirror.corp:5000/oml/"),
            ("docker.io/omnileads/redis", "other.corp/redis7"),
            ("quay.io", "mirror.corp:5000"),
        ])
        .unwrap();
        for (image, source) in [
            ("docker.io/omnileads/asterisk", Some("mirror.corp:5000/oml/asterisk")),
            ("omnileads/asterisk", Some("mirror.corp:5000/oml/asterisk")),
            ("registry-1.docker.io/omnileads/a/b", Some("mirror.corp:5000/oml/a/b")),
            ("docker.io/omnileads/redis", Some("other.corp/redis7")),
            ("docker.io/omnileads/redis-exporter", Some("mirror.corp:5000/oml/redis-exporter")),
            ("docker.io/omnileadsx/asterisk", Some("mirror.corp:5000/hub/omnileadsx/asterisk")),
            ("postgres", Some("mirror.corp:5000/hub/library/postgres")),
            ("docker.io/postgres", Some("mirror.corp:5000/hub/library/postgres")),
            ("quay.io/a/b", Some("mirror.corp:5000/a/b")),
            ("quay.io:443/a/b", None),
            ("ghcr.io/a/b", None),
        ] {
            let found = mirrors.source(&image.parse().unwrap()).unwrap();
            assert_eq!(found.as_ref().map(AsRef::as_ref), source, "{image}");
        }
    }

    #[test]
    fn wrong_rules_are_refused_all_at_once_with_their_place() {
        let refused = mirrors(&[
            ("docker.io/OMniLeads/", "mirror.corp/oml/"),
            ("quay.io/", "https://mirror.corp/"),
            ("omnileads/", "mirror.corp/"),
            ("ghcr.io/a:1", "mirror.corp/a"),
            ("docker.io/omnileads", "mirror.corp/o"),
            ("", "mirror.corp/x"),
        ])
        .unwrap_err();
        for words in [
            r#"mirrors."docker.io/OMniLeads/": "docker.io/OMniLeads/": the name of an image is in lower case (write docker.io/omnileads)"#,
            r#"mirrors."quay.io/": "https://mirror.corp/": the name of an image has no scheme"#,
            r#"mirrors."omnileads/": "omnileads/": it is not the address of a registry"#,
            r#"mirrors."ghcr.io/a:1": "ghcr.io/a:1": a rule is for every version of an image (write ghcr.io/a)"#,
            r#"(write docker.io/omnileads/ or docker.io/library/omnileads)"#,
            r#"mirrors."": "": it is not the address of a registry"#,
        ] {
            assert!(refused.contains(words), "{words}\n{refused}");
        }
    }

    #[test]
    fn rules_that_lead_to_each_other_or_are_there_twice_are_refused() {
        for (rules, words) in [
            (&[("a.io/x/", "b.io/y/"), ("b.io/", "a.io/x/")][..], "is one of the rule"),
            (&[("a.io/", "b.io/"), ("b.io/y/", "c.io/")], "its target b.io is one of the rule"),
            (&[("a.io/", "a.io/cache/")], "is in the images that it is for"),
            (&[("a.io/", "a.io/")], "is in the images that it is for"),
            (&[("docker.io/", "a.io/"), ("index.docker.io", "b.io/")], "is for the same images"),
        ] {
            let refused = mirrors(rules).unwrap_err();
            assert!(refused.contains(words), "{rules:?}: {refused}");
        }
        assert!(mirrors(&[("a.io/x/", "a.io/y/"), ("b.io/", "c.io/"), ("d.io/", "c.io/")]).is_ok());
    }
}
