//! The controller's policy has a row for every remote procedure that says who may call it.

use std::fs;

use crate::sources::root;

#[test]
fn every_procedure_has_a_policy_row() {
    let proto = fs::read_to_string(root().join("proto/oml/v1/oml.proto")).unwrap();
    let policy = fs::read_to_string(root().join("controller/src/policy.rs")).unwrap();
    let mut service = String::new();
    let mut missing = Vec::new();
    let mut count = 0;
    for line in proto.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("service ") {
            service = rest.trim_end_matches('{').trim().to_owned();
        }
        let Some(rest) = line.strip_prefix("rpc ") else { continue };
        let method = rest.split('(').next().unwrap_or_default().trim();
        count += 1;
        let path = format!("\"/oml.v1.{service}/{method}\"");
        if !policy.contains(&path) {
            missing.push(path);
        }
    }
    assert!(
        count > 10,
        "only {count} procedures were found in oml.proto; check how this test reads it"
    );
    assert!(
        missing.is_empty(),
        "controller/src/policy.rs lacks a row for these; add one each:\n{}",
        missing.join("\n")
    );
}
