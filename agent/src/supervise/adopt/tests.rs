use super::*;
use crate::fixtures;

#[test]
fn a_container_bears_its_own_name_when_it_is_the_one_of_its_document() {
    let document = fixtures::document("asterisk", "1");
    let mut container = Marked {
        id: "id".to_owned(),
        name: "oml-asterisk-next-b".to_owned(),
        tenant: "acme".parse().unwrap(),
        component: "asterisk".parse().unwrap(),
        hash: document.workload_hash(),
        version: "1".parse().unwrap(),
        digest: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        created: oml_common::time::Timestamp(0),
        is_running: false,
        is_new: false,
        document: document.text().to_owned(),
    };
    assert!(!container.bears_own_name());
    container.name = "oml-asterisk".to_owned();
    assert!(container.bears_own_name());
    container.document = String::new();
    assert!(!container.bears_own_name());
}
