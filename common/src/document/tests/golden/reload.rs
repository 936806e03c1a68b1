//! The bytes of what a program takes over while it runs, and of how far that is. The fixtures are in
//! `v1/fixtures/reload`.

use super::*;
use crate::document::Feature;
use crate::document::instance::{ContainerFile, KeptSecret, Reload, ReloadBy};
use crate::document::report::Failure;
use crate::document::update::{InstanceUpdate, ReloadStage};
use crate::time::Timestamp;

/// The pinned hashes of the fixtures.
const RELOADS: [(&str, &str); 2] = [
    ("instance.json", "121d0b0243baa445c2f6c5c74de1b26426e67fa32301145a2c37e171f5690363"),
    ("saved_updates.json", "6d718bfc1b0bed3ef86743666a0abe82029298ae7e003ebecd0903c63e0382ea"),
];

/// The pinned hash of the content of that instance's reload, which hosts keep in their records of updates.
const CONTENT: &str = "91da601d30b80c480e0b5b64d2d906780b042e503b75491e3d3695fc7adc8934";

fn with_reload() -> Instance {
    let file = ContainerFile {
        path: "/etc/plain.conf".to_owned(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        text: "listen = 5432\n".to_owned(),
    };
    let secret = KeptSecret {
        name: "tls_certificate".parse().unwrap(),
        version: 2,
        mark: format!("{:032}", 2).parse().unwrap(),
        file: Some("/etc/asterisk/tls.pem".to_owned()),
    };
    let command = ["asterisk", "-rx", "core reload"].map(str::to_owned).to_vec();
    let by = ReloadBy::Command { command };
    let reload = Reload { by, deadline_ms: 30_000, files: vec![file], secrets: [secret].into() };
    let workload = full().workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.options.reloaded = reload.places().map(str::to_owned).collect();
        }
    });
    Instance { workload, reload: Some(reload), ..full() }
}

fn reloading() -> SavedUpdates {
    let hash = || ContentHash::of(b"desired");
    let failure = Failure {
        hash: hash(),
        version: Some("1.26".parse().unwrap()),
        at: Timestamp(1_764_000_009_000),
        message: "the reload failed".to_owned(),
        exit_code: Some(1),
        log_tail: vec!["key values mismatch".to_owned()],
    };
    let failed = ReloadStage::Failed { content: ContentHash::of(b"content"), failure };
    let update = |component: &str, reload: ReloadStage| {
        let update = InstanceUpdate { reload: Some(reload), ..InstanceUpdate::new(hash()) };
        (component.parse().unwrap(), update)
    };
    let updates =
        [update("nginx", failed), update("web", ReloadStage::Begun { was_healthy: false })];
    SavedUpdates { updates: updates.into(), ..SavedUpdates::default() }
}

#[test]
fn reloads_are_written_in_the_bytes_that_are_pinned() {
    for (golden, (file, hash)) in [
        golden("instance", &with_reload(), &minimal()),
        golden("saved_updates", &reloading(), &SavedUpdates::default()),
    ]
    .iter()
    .zip(RELOADS)
    {
        let written = &golden.full;
        assert_eq!(*written, fixture(&format!("reload/{file}")), "{file} is written differently");
        assert_eq!(ContentHash::of(written.as_bytes()).as_str(), hash, "{file} has another hash");
        assert_eq!((golden.reread)(written).unwrap(), *written, "{file} is read as it was written");
    }
}

#[test]
fn the_hash_of_the_content_is_pinned() {
    let reload = with_reload().reload.unwrap();
    assert_eq!(reload.content().as_str(), CONTENT, "every host would reload its programs again");
    // How the program is asked is no part of it.
    let other = Reload { by: ReloadBy::NextStart, deadline_ms: 1, ..reload };
    assert_eq!(other.content().as_str(), CONTENT);
}

#[test]
fn a_reloaded_file_of_another_user_needs_an_agent_that_gives_files_away() {
    let mut instance = with_reload();
    assert!(!instance.needs().contains(&Feature::FileOwners));
    instance.reload.as_mut().unwrap().files[0].uid = 26;
    assert!(instance.needs().is_superset(&[Feature::FileOwners, Feature::Reload].into()));
}
