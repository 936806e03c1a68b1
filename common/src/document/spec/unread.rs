//! Which values of a specification could not be read. They are left out of it, so that what follows from
//! their absence must not be reported as other mistakes.

use std::collections::BTreeSet;

use crate::text::problem::Problems;
use crate::text::yaml::{Node, Value};

/// The paths of the values that could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unread(BTreeSet<String>);

impl Unread {
    /// Returns the places of the problems. That of a component in its short form is its version.
    pub(super) fn of(root: &Node, problems: &Problems) -> Self {
        let short = short_forms(root);
        let paths = problems.0.iter().map(|problem| problem.path.as_str());
        let place = |path: &str| match short.contains(path) {
            true => format!("{path}.version"),
            false => path.to_owned(),
        };
        Self(paths.map(place).collect())
    }

    /// Whether exactly the value at this path could not be read.
    pub(super) fn is(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    /// Whether the value at a path, what it is a part of, or a part of it could not be read.
    pub(super) fn touches(&self, path: &str) -> bool {
        self.0.iter().any(|unread| is_within(unread, path) || is_within(path, unread))
    }
}

/// Whether one path is another one or leads further.
fn is_within(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Returns the paths of the components of which only a version is written.
fn short_forms(root: &Node) -> BTreeSet<String> {
    let Value::Map(entries) = &root.value else { return BTreeSet::new() };
    let components = entries.iter().find(|(key, _)| key.name == "components");
    let Some((_, Node { value: Value::Map(components), .. })) = components else {
        return BTreeSet::new();
    };
    let short = components.iter().filter(|(_, node)| matches!(node.value, Value::Text(_)));
    short.map(|(key, _)| format!("components.{}", key.name)).collect()
}

#[cfg(test)]
mod tests {
    use crate::document::spec::{TenantSpec, TlsMode};

    const WRONG: &str = "\
tenant: acme
catalog: test
registry: \"Not A Registry\"
settings: {colour: blue, port: [1]}
tls: {mode: magic}
components:
  web: \"a:b\"
  db: {version: \"1\", evn: {A: b}, nodes: [\"N 1\"]}
  pbx: [1]
  pbx: \"2\"
";

    #[test]
    fn what_can_be_read_of_a_document_with_mistakes_is_known_with_its_lines() {
        let (spec, problems) = TenantSpec::read_partly(WRONG).unwrap();
        let places: Vec<String> =
            problems.sorted().0.iter().map(|it| format!("{:?} {}", it.line, it.path)).collect();
        assert_eq!(
            places,
            [
                "Some(3) registry",
                "Some(4) settings.port",
                "Some(5) tls.mode",
                "Some(7) components.web",
                "Some(8) components.db.evn",
                "Some(8) components.db.nodes[0]",
                "Some(9) components.pbx",
                "Some(10) components.pbx",
            ]
        );
        let names: Vec<&str> = spec.components.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["db", "pbx", "web"]);
        let db = &spec.components[&"db".parse().unwrap()];
        assert_eq!(db.version.as_ref().map(ToString::to_string).as_deref(), Some("1"));
        assert_eq!(spec.settings.keys().collect::<Vec<_>>(), ["colour"]);
        assert_eq!(spec.tls.as_ref().map(|tls| tls.mode), Some(TlsMode::SelfSigned));
        assert_eq!(spec.problem("settings.colour", "").line, Some(4));
        assert_eq!(spec.problem("components.db.version", "").line, Some(8));
        assert_eq!(TenantSpec::parse(WRONG).unwrap_err().0.len(), 8);
    }

    #[test]
    fn only_what_has_to_do_with_an_unread_value_is_unread() {
        let (spec, _) = TenantSpec::read_partly(WRONG).unwrap();
        for path in [
            "registry",
            "settings.port",
            "settings",
            "tls",
            "tls.mode",
            "components.web.version",
            "components.db.nodes",
            "components.pbx.secrets.A",
        ] {
            assert!(spec.is_unread(path), "{path}");
        }
        for path in [
            "registries",
            "settings.colour",
            "settings.ports",
            "components.web.secrets.A",
            "rollout",
        ] {
            assert!(!spec.is_unread(path), "{path}");
        }
        let right = "tenant: acme\ncatalog: test\ncomponents: {web: \"1\"}\n";
        assert!(!TenantSpec::parse(right).unwrap().is_unread("components"));
    }

    #[test]
    fn a_document_of_which_nothing_is_known_has_only_its_own_mistakes() {
        for (text, expected) in [
            ("tenant: acme\ncomponents: {web: \"a:b\"}\n", "catalog: is missing"),
            ("tenant: [\n", "line"),
            ("", "the document is empty"),
        ] {
            let problems = TenantSpec::read_partly(text).unwrap_err().to_string();
            assert!(problems.contains(expected), "{problems}");
        }
        let many: String = (0..60).map(|n| format!("  C{n}: \"1\"\n")).collect();
        let text = format!("tenant: acme\ncatalog: test\ncomponents:\n{many}");
        let problems = TenantSpec::read_partly(&text).unwrap_err();
        assert_eq!(problems.0.len(), 51, "{problems}");
    }
}
