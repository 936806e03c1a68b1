//! How other versions are written into the text of a specification.

use proptest::prelude::*;

use super::*;
use crate::document::spec::tests::ACME;

fn versions(pairs: &[(&str, &str)]) -> BTreeMap<ComponentName, ImageVersion> {
    pairs.iter().map(|(name, v)| (name.parse().unwrap(), v.parse().unwrap())).collect()
}

/// Sets the version 2 of the component web of a text.
fn with_web_2(text: &str) -> String {
    with_versions(text, &versions(&[("web", "2")])).unwrap()
}

/// Every pair is the lines below `components:` before and after.
#[test]
fn a_version_is_replaced_however_it_is_written() {
    let cases = [
        ("  web: >-\n    1\n  x: \"1\"\n", "  web: \"2\"\n  x: \"1\"\n"),
        (
            "  web: |- # voice\n    1\n\n  # of x\n  x: 1\n",
            "  web: \"2\" # voice\n\n  # of x\n  x: 1\n",
        ),
        ("  web: &v >2-\n    1\n  x: 1\n", "  web: &v \"2\"\n  x: 1\n"),
        ("  web: &a>b >- # c > d\n    1", "  web: &a>b \"2\" # c > d"),
        ("  web: # why > so\n    >-\n    1\n", "  web: # why > so\n    \"2\"\n"),
        (
            "  web:\n    # voice\n    version: |-\n      1\n    after: [x]\n  x: 1\n",
            "  web:\n    # voice\n    version: \"2\"\n    after: [x]\n  x: 1\n",
        ),
        ("  \"web\": '1'\t# c\n", "  \"web\": \"2\"\t# c\n"),
        ("  ? web\n  : >-\n    1\n  ? x\n  : 1\n", "  ? web\n  : \"2\"\n  ? x\n  : 1\n"),
        ("  ? >-\n    web\n  : 1\n", "  ? >-\n    web\n  : \"2\"\n"),
        ("  web: \"1\\\n    3\"  # c\n", "  web: \"2\"  # c\n"),
        ("  web: # c\n    1   # d\n", "  web: # c\n    \"2\"   # d\n"),
        (
            "  {x: {env: {A: 'é # >'}}, web: &v 1\n  , y: 1}\n",
            "  {x: {env: {A: 'é # >'}}, web: &v \"2\"\n  , y: 1}\n",
        ),
        (
            "  {\"x\":{\"version\":\"1\"},\"web\":{\"version\":\"1\"}}",
            "  {\"x\":{\"version\":\"1\"},\"web\":{\"version\":\"2\"}}",
        ),
    ];
    for (before, after) in cases {
        for end in ["\n", "\r\n"] {
            for start in ["", "\u{feff}", "# größer > kleiner\n"] {
                let text = |below: &str| {
                    let text = format!("{start}tenant: acme\ncatalog: c\ncomponents:\n{below}");
                    text.replace('\n', end)
                };
                assert_eq!(with_web_2(&text(before)), text(after), "{before:?}");
            }
        }
    }
}

#[test]
fn a_version_that_is_in_the_text_already_is_not_written_again() {
    let text = "tenant: acme\ncatalog: c\ncomponents:\n  web: >-\n    2\n  x: 1\n";
    assert_eq!(with_web_2(text), text);
}

#[test]
fn several_versions_of_every_form_are_replaced_in_one_edit() {
    let text = "tenant: acme\ncatalog: c\ncomponents:\n  a: >-\n    1\n  b: {version: 1}\n  c: |-\n    1\n";
    let edited = with_versions(text, &versions(&[("c", "4"), ("a", "2"), ("b", "3")])).unwrap();
    assert_eq!(
        edited,
        "tenant: acme\ncatalog: c\ncomponents:\n  a: \"2\"\n  b: {version: \"3\"}\n  c: \"4\"\n"
    );
}

#[test]
fn a_version_behind_an_image_is_replaced_there_and_may_have_a_digest() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let text = "tenant: acme\ncatalog: c\ncomponents:\n  a: {image: r.example:5000/x/a:1}  # ours\n  \
                b: {image: r.example/b, version: 1}\n";
    let (pinned, both) = (digest.as_str(), format!("2@{digest}"));
    let edited = with_versions(text, &versions(&[("a", pinned), ("b", &both)])).unwrap();
    let expected = text
        .replace("r.example:5000/x/a:1", &format!("\"r.example:5000/x/a@{digest}\""))
        .replace("version: 1", &format!("version: \"{both}\""));
    assert_eq!(edited, expected);
    let back = with_versions(&edited, &versions(&[("a", "1")])).unwrap();
    assert!(back.contains("{image: \"r.example:5000/x/a:1\"}  # ours"), "{back}");
}

#[test]
fn a_text_that_would_say_something_else_is_refused() {
    let text = "tenant: acme\ncatalog: c\ncomponents:\n  web: \"1\"\n";
    let spec = TenantSpec::parse(text).unwrap();
    let (component, version) = ("web".parse().unwrap(), "2".parse().unwrap());
    let edits =
        [Edit { component: &component, bytes: 0..0, version: &version, text: "2".to_owned() }];
    for broken in ["tenant: acme\ncatalog: c\ncomponents:\n  web: \"2\"\n  x: 1\n", "web: \"", text]
    {
        let refused = check(broken, &edits, spec.clone()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "line 4: components.web: the version of web cannot be replaced where it is written \
             (write web: \"2\" into the file and type omlctl apply -f FILE)"
        );
    }
}

#[test]
fn a_text_that_grows_beyond_the_limit_is_refused_with_its_limit() {
    let text = "tenant: acme\ncatalog: c\ncomponents: {web: 1}\n#";
    let text = format!("{text}{}", "x".repeat(DOCUMENT_BYTES_MAX - text.len()));
    let refused = with_versions(&text, &versions(&[("web", "2")])).unwrap_err().to_string();
    assert!(refused.contains("the document is larger than"), "{refused}");
}

#[test]
fn setting_a_version_changes_nothing_else_of_the_text() {
    let changed =
        with_versions(ACME, &versions(&[("asterisk", "230215.01"), ("nginx", "1")])).unwrap();
    let expected = ACME.replace("230204.01", "230215.01").replace("230215.10", "\"1\"");
    assert_eq!(changed, expected);
}

#[test]
fn a_version_of_an_unknown_component_is_refused_with_a_suggestion() {
    let problems = with_versions(ACME, &versions(&[("astrisk", "1"), ("node-exporter", "2")]))
        .unwrap_err()
        .to_string();
    assert!(
        problems.contains("acme has no component astrisk (did you mean asterisk?)"),
        "{problems}"
    );
    assert!(problems.contains("node-exporter has no version to set"), "{problems}");
}

#[test]
fn the_versions_that_can_be_set_are_set_beside_those_that_cannot() {
    let wanted = versions(&[("astrisk", "1"), ("node-exporter", "2"), ("nginx", "3")]);
    let (text, problems) = with_known_versions(ACME, &wanted);
    assert_eq!(text, ACME.replace("230215.10", "\"3\""));
    let paths: Vec<&str> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["astrisk", "node-exporter"]);
    let (text, problems) = with_known_versions(ACME, &versions(&[("nginx", "3")]));
    assert_eq!((text.contains("\"3\""), problems), (true, Problems::default()));
    let (text, problems) = with_known_versions("tenant: [\n", &wanted);
    assert_eq!(text, "tenant: [\n");
    assert!(!problems.0.is_empty());
}

proptest! {
    #[test]
    fn a_version_that_was_set_is_the_one_that_is_read(
        before in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}",
        after in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}",
        form in 0usize..8, end in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let written = match form {
            0 => format!("\"{before}\"   # voice"),
            1 => format!("'{before}'"),
            2 => format!("{{version: \"{before}\", after: [nginx]}}"),
            3 => format!(">- # voice\n    {before}\n"),
            4 => format!("&v |2-\n    {before}"),
            5 => format!("{{\n  \"version\" :\t&v '{before}' # voice\n  }}"),
            6 => format!("\n    version: # voice\n      >-\n      {before}\n\n    memory_max: 512MiB"),
            _ => format!("\n    # voice\n    version: '{before}'\n    memory_max: 512MiB"),
        };
        let text = ACME.replace("\"230204.01\"   # voice", &written).replace('\n', end);
        let asterisk: ComponentName = "asterisk".parse().unwrap();
        let mut expected = TenantSpec::parse(&text).unwrap();
        let changed = with_versions(&text, &versions(&[("asterisk", &after)])).unwrap();
        let read = TenantSpec::parse(&changed).unwrap();
        expected.components.get_mut(&asterisk).unwrap().version = Some(after.parse().unwrap());
        prop_assert!(read.says_the_same_as(&expected), "{}", changed);
        let again = with_versions(&changed, &versions(&[("asterisk", &before)])).unwrap();
        let (again, first) = (TenantSpec::parse(&again).unwrap(), TenantSpec::parse(&text).unwrap());
        prop_assert!(again.says_the_same_as(&first));
    }
}
