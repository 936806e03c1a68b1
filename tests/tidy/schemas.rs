//! The JSON schemas for editors say what the readers of catalogs and tenant documents accept.

use std::collections::BTreeSet;
use std::fs;

use jsonschema::Validator;
use oml_common::document::catalog::Catalog;
use oml_common::document::schema::{CATALOG_SCHEMA, TENANT_SCHEMA};
use oml_common::document::spec::TenantSpec;
use serde_json::Value;

use crate::sources::{all, root};

/// The reader of what both documents say of secrets.
const SECRETS: &str = "common/src/document/secret_use.rs";
/// The methods of the readers that take the name of a key.
const READERS: [&str; 6] = [".get(", ".need(", "text(", "duration(", " get(", " need("];

fn schema(text: &str) -> Value {
    serde_json::from_str(text).expect("the schema is JSON")
}

fn validator(text: &str) -> Validator {
    jsonschema::validator_for(&schema(text)).expect("the schema is one")
}

/// Reads YAML as an editor does: numbers and booleans are no texts.
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// Returns what a schema says against a document; empty if it is valid.
fn complaints(validator: &Validator, text: &str) -> String {
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
    for (at, _) in text.match_indices(&format!("\n    {first}")) {
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
    assert!(found.len() > 1, "{found:?}");
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
        ("    image: web\n", "    image: web\n    stop_grace: 10\n"),
        ("    image: web\n", "    image: web\n    log: {size: 1GiB}\n"),
        ("components:", "settings: {a: {default: b}}\ncomponents:"),
        ("components:", "settings: {a: {type: text}}\ncomponents:"),
        ("components:", "settings: {a: {type: tekst, default: b}}\ncomponents:"),
        ("components:", "settings: {a: {type: text, default: b, required: true}}\ncomponents:"),
        ("components:", "settings: {a: [b]}\ncomponents:"),
    ] {
        let text = CATALOG.replace(old, new);
        assert!(text != CATALOG && Catalog::parse(&text).is_err(), "{text}");
        assert_ne!(complaints(&catalogs, &text), "", "{text}");
    }
}

/// Adds the names of all properties below a schema.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("properties", Value::Object(named)) => {
                        found.extend(named.keys().cloned());
                        named.values().for_each(|value| properties(value, found));
                    }
                    _ => properties(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
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

#[test]
fn the_schemas_have_exactly_the_keys_of_the_readers() {
    for (schema_text, reader) in [
        (CATALOG_SCHEMA, "common/src/document/catalog"),
        (TENANT_SCHEMA, "common/src/document/spec"),
    ] {
        let mut described = BTreeSet::new();
        properties(&schema(schema_text), &mut described);
        let is_reader = |path: &str| path.starts_with(reader) || path == SECRETS;
        let sources = all().into_iter().filter(|it| is_reader(&it.path) && !it.is_test());
        let read: BTreeSet<String> =
            sources.flat_map(|it| keys(it.production()).collect::<Vec<_>>()).collect();
        assert!(read.len() > 10, "{read:?}");
        assert_eq!(
            read, described,
            "the keys of {reader}, and those of its schema in common/schemas"
        );
    }
}
