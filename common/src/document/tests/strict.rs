//! What an agent must not leave out is refused if it does not know it: a workload, and what runs once.
//! Wherever in it a field of a later release is, the instance is held.

use serde_json::{Map, Value, json};

use super::golden::{fixture, objects};
use super::*;
use crate::document::instance::HeldInstance;
use crate::id::ComponentName;

/// A field that this release does not know.
const UNKNOWN: &str = "of_a_later_release";

fn parsed(file: &str) -> Value {
    serde_json::from_str(&fixture(file)).unwrap()
}

/// An instance with every field set, of its container and of all that is in it too.
pub(super) fn everything() -> Value {
    let mut whole = parsed("options/instance.json");
    for (file, place) in [
        ("files/instance.json", "/workload/options/files"),
        ("reload/instance.json", "/workload/options/reloaded"),
        ("reload/instance.json", "/reload"),
        ("secrets/instance.json", "/workload/kept_secrets"),
        ("operations/instance.json", "/checks"),
        ("operations/instance.json", "/preparations"),
        ("operations/instance.json", "/migrations"),
    ] {
        let part = parsed(file).pointer(place).cloned().unwrap();
        let (parent, name) = place.rsplit_once('/').unwrap();
        whole.pointer_mut(parent).unwrap()[name] = part;
    }
    whole["active"]["several"] = json!([
        {"command": ["count"], "before": "up"},
        {"command": ["dialer"], "before": "waiting"},
    ]);
    whole["active"]["total"] = json!("max");
    let password = whole["workload"]["kept_secrets"]["REDIS_PASSWORD"].clone();
    whole["pull_login"] = json!({"user": "puller", "password": password});
    whole["pull_from"] = json!("mirror.example.com/asterisk");
    // What is left has every field.
    whole["workload"]["kept_secrets"].as_object_mut().unwrap().remove("REDIS_PASSWORD").unwrap();
    whole["workload"]["options"]["files"].as_array_mut().unwrap().truncate(1);
    whole
}

/// Returns a value with one more field in an object of it.
pub(super) fn with_unknown_field(whole: &Value, path: &str) -> Value {
    let mut changed = whole.clone();
    let fields = changed.pointer_mut(path).and_then(Value::as_object_mut).unwrap();
    fields.insert(UNKNOWN.to_owned(), Value::Object(Map::new()));
    changed
}

/// Returns why an agent that is sent the instance holds it.
fn why_held(instance: &Value, path: &str) -> String {
    let mut sent: Value = serde_json::from_str(&write(&assignment())).unwrap();
    sent["content"]["instances"]["asterisk"]["instance"] = instance.clone();
    let read = Verbatim::<Assignment>::read(&sent.to_string()).unwrap();
    let name: ComponentName = "asterisk".parse().unwrap();
    let held = read.content.share.unreadable.get(&name);
    held.unwrap_or_else(|| panic!("an unknown field in {path:?} is left out")).why.clone()
}

/// Asserts that the instance is held for an unknown field at that path, that a container which
/// exists is held by it, and that the object there has every field that this release knows.
fn assert_refused(whole: &Value, path: &str) {
    let changed = with_unknown_field(whole, path);
    let why = why_held(&changed, path);
    assert!(why.contains(&format!("unknown field `{UNKNOWN}`")), "{path:?}: {why}");
    let text = changed.to_string();
    assert!(Verbatim::<Instance>::read(&text).unwrap_err().is_of_later_release(), "{path:?}");
    HeldInstance::read(&text).unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
    let fields = whole.pointer(path).and_then(Value::as_object).unwrap();
    let (_, known) = why.split_once("`, expected ").unwrap_or_default();
    for name in known.split('`').skip(1).step_by(2) {
        assert!(fields.contains_key(name), "{path:?}: the test does not set {name}");
    }
}

#[test]
fn an_unknown_field_anywhere_in_a_workload_holds_the_instance_and_what_exists_of_it() {
    let container = everything();
    let mut of_host = everything();
    of_host["workload"]["options"]["network"] = json!({"kind": "host"});
    let mut packaged = everything();
    packaged["workload"] = json!({"kind": "unit", "drop_in": "Nice=5"});
    let mut count = 0;
    for whole in [container, of_host, packaged] {
        // An instance that is not changed is no reason to hold it.
        Verbatim::<Instance>::read(&whole.to_string()).unwrap();
        let mut paths = Vec::new();
        objects(&whole["workload"], "", &mut paths);
        for path in paths {
            assert_refused(&whole, &format!("/workload{path}"));
            count += 1;
        }
    }
    assert!(count > 22, "only {count} objects were found");
}

#[test]
fn an_unknown_field_of_what_runs_once_holds_the_instance() {
    for path in ["/checks/0/run", "/preparations/0/run", "/migrations/0", "/migrations/0/run"] {
        assert_refused(&everything(), path);
    }
}

#[test]
fn a_range_outside_of_a_workload_ignores_an_unknown_field() {
    let changed = with_unknown_field(&everything(), "/ranges/0");
    let read: Instance = read(&changed.to_string()).unwrap();
    assert_eq!(read.ranges.len(), 1);
}
