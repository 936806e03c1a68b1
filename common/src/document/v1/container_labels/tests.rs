//! The names of the labels and the forms of their values are pinned.

use super::*;

const FIXTURE: &str = include_str!("../fixtures/container_labels.txt");
const FIXTURE_HASH: &str = "29d596bf40578094fd188944996b6f0b2354a50b538140ed66bf354937bb4c78";

fn labels() -> ContainerLabels {
    let hash = ContentHash::of(b"workload");
    ContainerLabels {
        tenant: "acme".parse().unwrap(),
        component: "asterisk".parse().unwrap(),
        version: "230204.01".parse().unwrap(),
        digest: format!("sha256:{hash}").parse().unwrap(),
        hash,
        instance: "{\"version\":1}".to_owned(),
        image: Some("sha256:1".to_owned()),
    }
}

fn fixture() -> HashMap<String, String> {
    let pairs = FIXTURE.lines().map(|line| line.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn labels_are_written_as_they_are_pinned_and_read_again() {
    let written = labels().write();
    let lines: String = written.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    assert_eq!(lines, FIXTURE);
    assert_eq!(ContentHash::of(lines.as_bytes()).as_str(), FIXTURE_HASH);
    assert_eq!(ContainerLabels::read(&fixture()), Some(labels()));
}

#[test]
fn labels_of_release_0_1_0_have_no_image_and_those_of_a_later_one_may_be_more() {
    let mut earlier = fixture();
    earlier.remove(IMAGE).unwrap();
    let read = ContainerLabels::read(&earlier).unwrap();
    assert_eq!(read, ContainerLabels { image: None, ..labels() });
    assert_eq!(read.write().len(), 6);
    let mut later = fixture();
    later.insert("io.oml.of-a-later-release".to_owned(), "1".to_owned());
    assert_eq!(ContainerLabels::read(&later), Some(labels()));
}

#[test]
fn labels_that_are_incomplete_or_damaged_are_not_ours() {
    assert_eq!(ContainerLabels::read(&HashMap::new()), None);
    for name in [TENANT, COMPONENT, HASH, VERSION, DIGEST, INSTANCE] {
        let mut without = fixture();
        without.remove(name).unwrap();
        assert_eq!(ContainerLabels::read(&without), None, "{name}");
    }
    let mut wrong = fixture();
    wrong.insert(HASH.to_owned(), "short".to_owned());
    assert_eq!(ContainerLabels::read(&wrong), None);
}
