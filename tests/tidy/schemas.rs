//! The JSON schemas for editors say what the readers of catalogs and tenant documents accept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jsonschema::Validator;
use oml_common::document::catalog::Catalog;
use oml_common::document::schema::{CATALOG_SCHEMA, TENANT_SCHEMA};
use oml_common::document::spec::TenantSpec;
use serde_json::Value;

use crate::sources::{all, root};

/// The methods of the readers that take the name of a key.
const READERS: [&str; 6] = [".get(", ".need(", "text(", "duration(", " get(", " need("];

fn schema(text: &str) -> Value {
    serde_json::from_str(text).expect("the schema is JSON")
}

pub(crate) fn validator(text: &str) -> Validator {
    jsonschema::validator_for(&schema(text)).expect("the schema is one")
}

/// Reads YAML as an editor does: numbers and booleans are no texts.
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// Returns what a schema says against a document; empty if it is valid.
pub(crate) fn complaints(validator: &Validator, text: &str) -> String {
    let document = yaml(text);
    let lines = validator.iter_errors(&document);
    lines.map(|error| format!("{}: {error}\n", error.instance_path())).collect()
}

/// The files of a folder whose name ends like this.
fn files(folder: &str, end: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let named = paths.filter(|path| path.to_string_lossy().ends_with(end));
    named
        .map(|path| {
            let text = fs::read_to_string(&path).expect("it can be read");
            (path.display().to_string(), text)
        })
        .collect()
}

/// The indented blocks of a page that begin with a line, without their indent.
fn blocks(page: &str, first: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).expect("the page is there");
    let mut found = Vec::new();
    let starts =
        text.match_indices(&format!("\n    {first}")).map(|(at, _)| at).collect::<Vec<_>>();
    // A line within a block is none.
    for at in starts.into_iter().filter(|at| text[..*at].ends_with('\n')) {
        let lines = text[at + 1..].lines();
        let lines = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
        let lines: Vec<&str> = lines.map(|line| line.get(4..).unwrap_or_default()).collect();
        found.push(lines.join("\n"));
    }
    found
}

#[test]
fn every_shipped_catalog_and_every_example_is_valid_by_the_schema() {
    let validator = validator(CATALOG_SCHEMA);
    let mut shipped = files("catalog", ".yaml");
    shipped.retain(|(name, _)| !name.ends_with(".releases.yaml"));
    let examples = blocks("docs/catalog.md", "catalog: ");
    assert!(shipped.len() > 1 && !examples.is_empty());
    let examples = examples.into_iter().map(|text| ("docs/catalog.md".to_owned(), text));
    for (name, text) in shipped.into_iter().chain(examples) {
        assert_eq!(complaints(&validator, &text), "", "{name}:\n{text}");
        // What is in other files of its folder is not on the page.
        if !text.contains("include:") && !text.contains("template:") {
            Catalog::parse(&text).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        }
    }
}

#[test]
fn every_tenant_document_of_the_handbook_is_valid_by_the_schema() {
    let validator = validator(TENANT_SCHEMA);
    let mut found = blocks("docs/tenant.md", "tenant: ");
    found.extend(blocks("docs/omnileads.md", "tenant: "));
    found.extend(blocks("docs/catalog.md", "tenant: "));
    assert!(found.len() > 2, "{found:?}");
    for text in found {
        assert_eq!(complaints(&validator, &text), "", "{text}");
        TenantSpec::parse(&text).unwrap_or_else(|problems| panic!("{problems}:\n{text}"));
    }
}

const TENANT: &str = "tenant: acme\ncatalog: test\ncomponents:\n  web: \"1\"\n";
const CATALOG: &str = "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    roles: [app]\n    \
                       unit: web.service\n    container: web\n    image: web\n    probe: {check: tcp, port: 80}\n";

#[test]
fn what_a_reader_refuses_is_refused_by_the_schema() {
    let (tenants, catalogs) = (validator(TENANT_SCHEMA), validator(CATALOG_SCHEMA));
    assert_eq!(complaints(&tenants, TENANT), "");
    assert_eq!(complaints(&catalogs, CATALOG), "");
    for (old, new) in [
        ("tenant: acme\n", ""),
        ("catalog: test", "catalog: Test"),
        ("web: \"1\"", "web: [1]"),
        ("web: \"1\"", "web: {verison: 1}"),
        ("web: \"1\"", "web: {memory_max: 1G}"),
        ("components:", "rollout: {on_deadline: never}\ncomponents:"),
        ("components:", "rollout: {min_healthy_for: 30}\ncomponents:"),
        ("components:", "settings: {a: [1]}\ncomponents:"),
        ("components:", "tls: {mode: acme}\ncomponents:"),
        ("components:", "tls: {names: [a.example.com]}\ncomponents:"),
        ("components:", "registries: {docker.io: {username: a}}\ncomponents:"),
        ("components:", "registries: {docker.io: {username: a, password_file: b}}\ncomponents:"),
    ] {
        let text = TENANT.replace(old, new);
        assert!(text != TENANT && TenantSpec::parse(&text).is_err(), "{text}");
        assert_ne!(complaints(&tenants, &text), "", "{text}");
    }
    for (old, new) in [
        ("    roles: [app]\n", ""),
        ("check: tcp", "check: tpc"),
        ("    image: web\n", "    image: web\n    when: a\n"),
        ("    image: web\n", "    image: web\n    env: {A: {value: b}}\n"),
        ("    image: web\n", "    image: web\n    reload: {}\n"),
        ("    image: web\n", "    image: web\n    reload: later\n"),
        ("    image: web\n", "    image: web\n    reload: {command: [a], signal: HUP}\n"),
        ("    image: web\n", "    image: web\n    stop_grace: 10\n"),
        ("    image: web\n", "    image: web\n    log: {size: 1GiB}\n"),
        ("    image: web\n", "    image: web\n    memory_max: 1G\n"),
        ("    image: web\n", "    image: web\n    active: {noun: a}\n"),
        ("    image: web\n", "    image: web\n    active: {noun: a, sources: []}\n"),
        (
            "    image: web\n",
            "    image: web\n    active: {noun: a, command: [b], before: c, total: max}\n",
        ),
        ("components:", "settings: {a: {default: b}}\ncomponents:"),
        ("components:", "settings: {a: {type: text}}\ncomponents:"),
        ("components:", "settings: {a: {type: tekst, default: b}}\ncomponents:"),
        ("components:", "settings: {a: {type: text, default: b, required: true}}\ncomponents:"),
        ("components:", "settings: {a: [b]}\ncomponents:"),
        ("components:", "settings: {a: {type: text, default: b, min: 1}}\ncomponents:"),
        ("components:", "settings: {a: {type: number, default: 1, pattern: b}}\ncomponents:"),
        (
            "components:",
            "settings: {a: {type: bool, default: true, choices: {true: b}}}\ncomponents:",
        ),
        ("components:", "settings: {a: {type: choice, default: b}}\ncomponents:"),
    ] {
        is_refused_by_both(old, new);
    }
}

#[test]
fn what_only_the_check_of_a_catalog_refuses_is_refused_by_the_schema() {
    for (old, new) in [
        ("check: tcp", "interval: 0s, check: tcp"),
        ("check: tcp", "timeout: 00ms, check: tcp"),
        ("check: tcp", "path: health, check: http"),
        ("check: tcp", "path: \"/a b\", check: http"),
        ("check: tcp, port: 80", "check: exec, command: []"),
        ("    image: web\n", "    image: web\n    start_timeout: 0s\n"),
        ("    image: web\n", "    image: web\n    restart_unhealthy: 0s\n"),
        ("    image: web\n", "    image: web\n    metrics: {port: 80, path: metrics}\n"),
        ("    image: web\n", "    image: web\n    active: {noun: a, command: [], before: c}\n"),
    ] {
        is_refused_by_both(old, new);
    }
}

/// Checks that the reader and the schema refuse the catalog in which this was replaced.
fn is_refused_by_both(old: &str, new: &str) {
    let text = CATALOG.replace(old, new);
    assert!(text != CATALOG && Catalog::parse(&text).is_err(), "{text}");
    assert_ne!(complaints(&validator(CATALOG_SCHEMA), &text), "", "{text}");
}

/// Adds the names of the properties of every object below a schema, by its place.
fn properties(schema: &Value, place: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(named)) = fields.get("properties") {
                found.insert(place.to_owned(), named.keys().cloned().collect());
            }
            for (key, value) in fields {
                properties(value, &format!("{place}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                properties(item, &format!("{place}/{number}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the keys that the code of a reader names.
fn keys(text: &str) -> impl Iterator<Item = String> {
    READERS.into_iter().flat_map(move |method| {
        text.match_indices(method).filter_map(move |(at, _)| {
            let (key, _) = text[at + method.len()..].strip_prefix('"')?.split_once('"')?;
            let is_key =
                !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            is_key.then(|| key.to_owned())
        })
    })
}

/// Readers, and the objects of a schema whose keys they read. What an object says of the keys of
/// another one (`oneOf`) counts to that one.
type ReadObjects = (&'static [&'static str], &'static [&'static str]);

/// The readers of a catalog, and what they read.
const OF_CATALOG: [ReadObjects; 11] = [
    (&["secret_use.rs", "catalog/secrets.rs"], &["/$defs/secret"]),
    (&["catalog.rs"], &[""]),
    (&["catalog/setting/read.rs"], &["/$defs/setting"]),
    (&["catalog/condition/read.rs"], &["/$defs/condition"]),
    (
        &["catalog/component.rs", "catalog/options.rs", "catalog/options/rights.rs"],
        &[
            "/$defs/component",
            "/$defs/component/properties/restart_unhealthy",
            "/$defs/component/properties/metrics",
            "/$defs/component/properties/log",
        ],
    ),
    (&["catalog/active.rs"], &["/$defs/component/properties/active"]),
    (&["catalog/env.rs"], &["/$defs/component/properties/env"]),
    (&["catalog/probe.rs"], &["/$defs/component/properties/probe"]),
    (&["catalog/operation.rs"], &["/$defs/operation"]),
    (&["catalog/file.rs"], &["/$defs/file"]),
    (&["catalog/reload.rs"], &["/$defs/reload"]),
];
/// The readers of a tenant's document, and what they read.
const OF_TENANT: [ReadObjects; 4] = [
    (&["secret_use.rs"], &["/$defs/secret"]),
    (&["spec.rs", "spec/image.rs"], &["", "/properties/rollout", "/$defs/component"]),
    (&["spec/registries.rs"], &["/properties/registries"]),
    (&["spec/tls.rs", "spec/acme.rs"], &["/properties/tls"]),
];
#[test]
fn the_schemas_have_exactly_the_keys_of_the_readers() {
    let sources: BTreeMap<String, BTreeSet<String>> = all()
        .into_iter()
        .filter(|it| !it.is_test())
        .filter_map(|it| {
            let path = it.path.strip_prefix("common/src/document/")?.to_owned();
            Some((path, keys(it.production()).collect()))
        })
        .collect();
    for (text, folder, table) in
        [(CATALOG_SCHEMA, "catalog", &OF_CATALOG[..]), (TENANT_SCHEMA, "spec", &OF_TENANT[..])]
    {
        let mut described = BTreeMap::new();
        properties(&schema(text), "", &mut described);
        let mut unread: BTreeSet<&String> = sources
            .keys()
            .filter(|it| it.starts_with(folder) && !sources[*it].is_empty())
            .collect();
        for (readers, objects) in table.iter() {
            let of_readers = readers.iter().filter_map(|it| sources.get(*it)).flatten();
            let read: BTreeSet<&String> = of_readers.collect();
            let own = |place: &String| {
                let nearest = table.iter().flat_map(|(_, objects)| *objects);
                let nearest =
                    nearest.filter(|it| place.starts_with(**it)).max_by_key(|it| it.len());
                nearest.is_some_and(|it| objects.contains(it))
            };
            let keys: BTreeSet<&String> = described
                .iter()
                .filter(|(place, _)| own(place))
                .flat_map(|(_, keys)| keys)
                .collect();
            assert!(!read.is_empty(), "{readers:?}");
            assert_eq!(read, keys, "the keys of {readers:?}, and of {objects:?} in the schema");
            unread.retain(|it| !readers.contains(&it.as_str()));
        }
        assert!(unread.is_empty(), "of these readers nothing is compared: {unread:?}");
    }
}
