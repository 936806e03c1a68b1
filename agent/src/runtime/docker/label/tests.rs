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
        image: Some("dbg:1".to_owned()),
        labels: Some(labels(ContainerInstance::of(&instance).unwrap(), Some("sha256:1"))),
        ..ContainerSummary::default()
    }
}

#[test]
fn what_was_labelled_is_known_again() {
    let Labelled { marked, labelled_image, image, image_name } = read(&listed()).unwrap();
    assert_eq!(labelled_image.as_deref(), Some("sha256:1"));
    assert_eq!(image.as_deref(), Some("sha256:2"));
    assert_eq!(image_name.as_deref(), Some("dbg:1"));
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
fn a_container_without_an_id_or_without_labels_is_not_read() {
    assert_eq!(read(&ContainerSummary::default()), None);
    assert_eq!(read(&ContainerSummary { id: None, ..listed() }), None);
    assert_eq!(read(&ContainerSummary { labels: None, ..listed() }), None);
}
