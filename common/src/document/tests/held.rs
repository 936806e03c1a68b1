//! An agent of an earlier release holds every container that exists, by a document in which a later
//! release has written any word or field that it does not know.

use serde_json::{Value, json};

use super::golden::fixture;
use super::strict::{everything, with_unknown_field};
use super::*;
use crate::document::instance::{Counting, HeldInstance};

/// What takes to find, to start and to stop a container. Nothing else is needed.
const NEEDED: [&str; 8] = [
    "/version",
    "/tenant",
    "/component",
    "/unit",
    "/workload",
    "/timing",
    "/timing/start_timeout_ms",
    "/timing/stop_grace_ms",
];

/// Returns the paths of all values.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| places(value, &format!("{path}/{key}"), found));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| places(item, &format!("{path}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn held(document: &Value, place: &str) -> HeldInstance {
    let read = HeldInstance::read(&document.to_string());
    read.unwrap_or_else(|error| panic!("{place:?} keeps a container from being held: {error:?}"))
}

/// Asserts that a document is held, and that calls which are counted in it never count as none.
fn assert_held(document: &Value, place: &str) {
    let held = held(document, place);
    assert_ne!(held.counting, Counting::Nothing, "{place:?}");
    assert!(held.may_carry_calls, "{place:?}");
}

#[test]
fn a_word_or_a_field_of_a_later_release_never_keeps_a_container_from_being_held() {
    let whole = everything();
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    assert!(found.len() > 100, "only {} places were found", found.len());
    for place in found {
        if whole.pointer(&place).unwrap().is_object() {
            assert_held(&with_unknown_field(&whole, &place), &place);
        }
        if place.is_empty() || NEEDED.contains(&place.as_str()) {
            continue;
        }
        for later in [json!("of-a-later-release"), json!({"kind": "later"}), json!([["later"]])] {
            let mut changed = whole.clone();
            *changed.pointer_mut(&place).unwrap() = later;
            assert_held(&changed, &place);
        }
    }
}

#[test]
fn a_container_is_held_by_what_it_must_know_alone() {
    let mut least = everything();
    let fields = least.as_object_mut().unwrap();
    fields.retain(|name, _| NEEDED.contains(&format!("/{name}").as_str()));
    let held = held(&least, "");
    assert_eq!((held.probe, held.counting), (None, Counting::Nothing));
    assert_eq!(held.restart_unhealthy, RestartUnhealthy::default());
}

#[test]
fn a_way_of_counting_calls_is_known_only_if_all_of_it_is() {
    let whole = everything();
    let active: ActiveProbe = serde_json::from_value(whole["active"].clone()).unwrap();
    assert_eq!(held(&whole, "").counting, Counting::By(active));
    let plain: Value = serde_json::from_str(&fixture("instance.json")).unwrap();
    assert_ne!(held(&plain, "").counting, Counting::Unknown);
    let mut word = whole.clone();
    word["active"]["total"] = json!("min");
    let field = |place: &str| with_unknown_field(&whole, place);
    for later in [word, field("/active"), field("/active/several/0")] {
        let held = held(&later, "/active");
        assert_eq!(held.counting, Counting::Unknown);
        assert!(held.may_carry_calls);
    }
}

#[test]
fn an_instance_is_never_restarted_for_its_health_by_words_of_a_later_release() {
    let mut later = everything();
    later["restart_unhealthy"]["after_ms"] = json!("soon");
    assert_eq!(held(&later, "").restart_unhealthy.after_ms, None);
}
