//! The bytes of an instance that names secrets of the controller.

use super::*;
use crate::document::Feature;
use crate::document::instance::KeptSecret;

/// The pinned hash of the fixture.
const HASH: &str = "c8948992caebf933febdb2a1f1cb945590ec78be7a012cad0a49d3f0bca63b32";

fn with_secrets() -> Instance {
    let secret = |name: &str, version: u64, file: Option<&str>| KeptSecret {
        name: name.parse().unwrap(),
        version,
        mark: format!("{version:032x}").parse().unwrap(),
        file: file.map(str::to_owned),
    };
    let workload = full().workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.kept_secrets = [
                ("KEY_FILE".parse().unwrap(), secret("tls_key", 1, Some("/run/secrets/tls_key"))),
                ("REDIS_PASSWORD".parse().unwrap(), secret("redis", 12, None)),
            ]
            .into();
        }
    });
    Instance { workload, ..full() }
}

#[test]
fn secrets_of_the_controller_are_written_in_the_bytes_that_are_pinned() {
    let golden = golden("instance", &with_secrets(), &minimal());
    let written = &golden.full;
    assert_eq!(*written, fixture("secrets/instance.json"), "it is written differently");
    assert_eq!(ContentHash::of(written.as_bytes()).as_str(), HASH, "it has another hash");
    assert_eq!((golden.reread)(written).unwrap(), *written, "it is read as it was written");
}

#[test]
fn an_instance_with_them_needs_their_feature_and_no_other() {
    let needs = with_secrets().needs();
    let more: Vec<Feature> = needs.difference(&full().needs()).copied().collect();
    assert_eq!(more, [Feature::ControllerSecrets]);
}
