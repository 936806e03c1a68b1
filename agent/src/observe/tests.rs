//! How the parts of an observation join.

use oml_common::decide::difference::ForeignObject;
use oml_common::decide::observed::{ContainerState, ObservedContainer};
use oml_common::document::Verbatim;
use oml_common::document::instance::{Instance, Workload};
use oml_common::id::{ContentHash, Digest};
use oml_common::time::Timestamp;

use super::*;
use crate::fixtures;

fn container(hash: &ContentHash, state: ContainerState) -> ObservedContainer {
    let digest: Digest = format!("sha256:{hash}").parse().unwrap();
    let (id, name) = ("id".to_owned(), "oml-asterisk".to_owned());
    let (version, created) = ("1".parse().unwrap(), Timestamp(1));
    ObservedContainer { id, name, hash: hash.clone(), version, digest, created, state }
}

#[test]
fn a_lost_document_is_known_from_the_container_that_runs() {
    let (old, new) = (ContentHash::of(b"old"), ContentHash::of(b"new"));
    let name: ComponentName = "asterisk".parse().unwrap();
    let running = container(&old, ContainerState::Running { since: Timestamp(1) });
    let docker = ContainerListing {
        containers: vec![
            (name.clone(), container(&new, ContainerState::Created)),
            (name.clone(), running),
        ],
        ..ContainerListing::default()
    };
    let observed = join(Sources {
        assignment: None,
        engine: &docker,
        systemd: &UnitListing::default(),
        documents: &BTreeMap::new(),
        file_changes: &BTreeMap::new(),
        started: &BTreeMap::new(),
        last_good: &BTreeMap::new(),
        settled: &BTreeMap::new(),
        statuses: &Statuses::new(),
        units_at: None,
        systemd_is_away: false,
        policy: &HostPolicy::default(),
        missing_secrets: &BTreeMap::new(),
        edited_secrets: &BTreeMap::new(),
        edited_previous: &[],
    });
    let document = observed.instances[&name].document.as_ref().unwrap();
    assert_eq!((&document.workload, document.on_disk), (&old, false));
}

#[test]
fn what_one_runtime_finds_foreign_is_foreign() {
    let name: ComponentName = "asterisk".parse().unwrap();
    let unit = "asterisk.service".parse().unwrap();
    let foreign = ForeignObject::Unit { unit, unreadable: None };
    let systemd =
        UnitListing { foreign: vec![(name.clone(), foreign.clone())], ..UnitListing::default() };
    let observed = join(Sources {
        assignment: None,
        engine: &ContainerListing::default(),
        systemd: &systemd,
        documents: &BTreeMap::new(),
        file_changes: &BTreeMap::new(),
        started: &BTreeMap::new(),
        last_good: &BTreeMap::new(),
        settled: &BTreeMap::new(),
        statuses: &Statuses::new(),
        units_at: None,
        systemd_is_away: false,
        policy: &HostPolicy::default(),
        missing_secrets: &BTreeMap::new(),
        edited_secrets: &BTreeMap::new(),
        edited_previous: &[],
    });
    assert_eq!(observed.instances[&name].foreign.as_ref(), Some(&foreign));
}

#[test]
fn calls_are_unknown_where_neither_document_nor_label_says_how_they_are_counted() {
    let name: ComponentName = "asterisk".parse().unwrap();
    let running =
        container(&ContentHash::of(b"1"), ContainerState::Running { since: Timestamp(1) });
    let text = Verbatim::seal(fixtures::instance("asterisk", "1")).text().to_owned();
    let active = r#""active":{"command":["count"],"before":"up","noun":"calls","total":"min"}"#;
    let later = text.replacen("\"timing\":", &format!("{active},\"timing\":"), 1);
    let later = HeldInstance::read(&later).unwrap();
    for (label, expected) in [
        (Some(None), Counting::Unknown),
        (None, Counting::Nothing),
        (Some(Some(later)), Counting::Unknown),
    ] {
        let labels = label.map(|label| (name.clone(), label)).into_iter().collect();
        let containers = vec![(name.clone(), running.clone())];
        let docker = ContainerListing { containers, labels, ..ContainerListing::default() };
        let observed = join(Sources {
            assignment: None,
            engine: &docker,
            systemd: &UnitListing::default(),
            documents: &BTreeMap::new(),
            file_changes: &BTreeMap::new(),
            started: &BTreeMap::new(),
            last_good: &BTreeMap::new(),
            settled: &BTreeMap::new(),
            statuses: &Statuses::new(),
            units_at: None,
            systemd_is_away: false,
            policy: &HostPolicy::default(),
            missing_secrets: &BTreeMap::new(),
            edited_secrets: &BTreeMap::new(),
            edited_previous: &[],
        });
        assert_eq!(observed.instances[&name].counting, expected);
    }
}

#[test]
fn what_runs_with_a_right_that_is_not_allowed_any_more_is_named() {
    let instance = fixtures::instance("web", "1").workload.edited(|workload| {
        if let Workload::Container(container) = workload {
            container.options.privileged = true;
        }
    });
    let instance = Instance { workload: instance, ..fixtures::instance("web", "1") };
    let document = Verbatim::seal(instance);
    let running = ContainerState::Running { since: Timestamp(1) };
    let name: ComponentName = "web".parse().unwrap();
    let listing = ContainerListing {
        containers: vec![(name.clone(), container(&document.workload_hash(), running))],
        labels: [(name.clone(), HeldInstance::read(document.text()).ok())].into(),
        ..ContainerListing::default()
    };
    let differs = |policy: &HostPolicy| -> Vec<String> {
        let observed = join(Sources {
            assignment: None,
            engine: &listing,
            systemd: &UnitListing::default(),
            documents: &BTreeMap::new(),
            file_changes: &BTreeMap::new(),
            started: &BTreeMap::new(),
            last_good: &BTreeMap::new(),
            settled: &BTreeMap::new(),
            statuses: &Statuses::new(),
            units_at: None,
            systemd_is_away: false,
            policy,
            missing_secrets: &BTreeMap::new(),
            edited_secrets: &BTreeMap::new(),
            edited_previous: &[],
        });
        observed.instances[&name].differs.iter().map(ToString::to_string).collect()
    };
    let allowed = HostPolicy { privileged: true, ..HostPolicy::default() };
    assert_eq!(differs(&allowed), [""; 0]);
    let found = differs(&HostPolicy::default());
    let expected = "has what /etc/omlagent/policy.toml does not allow: privileged";
    assert!(found.len() == 1 && found[0].ends_with(expected), "{found:?}");
}
