use oml_common::document::instance::InstanceDocument;

use super::*;
use crate::fixtures;

fn instance() -> InstanceDocument {
    fixtures::document("redis", "7").edited(|instance| instance.timing.stop_grace_ms = 4_000)
}

fn listed() -> ContainerSummary {
    let instance = instance();
    ContainerSummary {
        id: Some("c0ffee".to_owned()),
        names: Some(vec!["/other/alias".to_owned(), "/oml-redis".to_owned()]),
        created: Some(12),
        state: Some(ContainerSummaryStateEnum::PAUSED),
        image_id: Some("sha256:2".to_owned()),
        labels: Some(labels(ContainerInstance::of(&instance).unwrap(), Some("sha256:1"))),
        ..ContainerSummary::default()
    }
}

#[test]
fn what_was_labelled_is_known_again() {
    let Labelled { marked, labelled_image, image } = read(&listed()).unwrap();
    assert_eq!(labelled_image.as_deref(), Some("sha256:1"));
    assert_eq!(image.as_deref(), Some("sha256:2"));
    let instance = instance();
    assert_eq!(marked.name, "oml-redis");
    assert_eq!((&marked.tenant, &marked.component), (&instance.tenant, &instance.component));
    assert_eq!(marked.hash, instance.workload_hash());
    assert_eq!(marked.created, Timestamp(12_000));
    assert!(marked.is_running && !marked.is_new);
    assert_eq!(marked.stop_grace_ms(), 4_000);
    assert_eq!(marked.instance(), Some(instance));
}

#[test]
fn a_container_of_an_earlier_release_has_no_label_of_its_image() {
    let mut earlier = listed();
    earlier.labels.as_mut().unwrap().remove(IMAGE);
    assert_eq!(read(&earlier).unwrap().labelled_image, None);
    let instance = instance();
    let labels = labels(ContainerInstance::of(&instance).unwrap(), None);
    assert!(!labels.contains_key(IMAGE));
}

#[test]
fn an_incomplete_or_damaged_mark_is_none() {
    assert_eq!(read(&ContainerSummary::default()), None);
    for key in [TENANT, COMPONENT, HASH, VERSION, DIGEST, INSTANCE] {
        let mut without = listed();
        without.labels.as_mut().unwrap().remove(key);
        assert_eq!(read(&without), None, "{key}");
    }
    let mut wrong = listed();
    wrong.labels.as_mut().unwrap().insert(HASH.to_owned(), "short".to_owned());
    assert_eq!(read(&wrong), None);
}
