use super::*;
use crate::testing::{SPEC, plan_of};

fn container() -> Container {
    let plan = plan_of(SPEC, 1).unwrap();
    let share = &plan.nodes[&"n1".parse().unwrap()];
    let db = share.instances[&"db".parse().unwrap()].instance.container().unwrap().clone();
    Container { command: Vec::new(), env: BTreeMap::new(), volumes: Vec::new(), ..db }
}

/// What the engine shows of it as it was created.
fn shown(created: &Container) -> FoundContainer {
    let env = created.env.iter();
    FoundContainer {
        command: created.command.clone(),
        env: env.map(|(name, value)| (name.to_string(), hash(value))).collect(),
        volumes: created.volumes.clone(),
        binds: Vec::new(),
        may_gain_privileges: created.may_gain_privileges,
        limits: FoundLimits {
            pids_max: Some(created.pids_limit.0.get().into()),
            swap_bytes_max: created.memory_bytes_max,
            others: BTreeMap::new(),
        },
    }
}

fn hash(value: &str) -> ContentHash {
    ContentHash::of(value.as_bytes())
}

fn created() -> Container {
    let volume = |source: &str, target: &str, read_only| Volume {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    };
    Container {
        command: vec!["serve".to_owned()],
        env: [("LANG".parse().unwrap(), "C".to_owned())].into(),
        volumes: vec![volume("data", "/data", false), volume("/etc/oml", "/etc/oml", true)],
        memory_bytes_max: Some(1 << 30),
        ..container()
    }
}

fn changes(found: &FoundContainer) -> Vec<String> {
    altered(&created(), found, created().memory_bytes_max).iter().map(ToString::to_string).collect()
}

#[test]
fn a_container_as_it_was_created_differs_in_nothing() {
    let mut found = shown(&created());
    // The image and the component's files bring more.
    found.env.insert("PATH".to_owned(), hash("/bin"));
    found.volumes.push(Volume {
        source: "/var/lib/omlagent/files/1".to_owned(),
        target: "/etc/nginx/nginx.conf".to_owned(),
        read_only: true,
    });
    assert_eq!(changes(&found), [""; 0]);
    // A kernel without these limits shows none.
    found.limits = FoundLimits::default();
    assert_eq!(changes(&found), [""; 0]);
    let plain = container();
    let found = FoundContainer { command: vec!["of the image".to_owned()], ..shown(&plain) };
    assert_eq!(altered(&plain, &found, plain.memory_bytes_max), []);
}

#[test]
fn every_limit_that_an_update_changes_is_reported() {
    let limits = FoundLimits {
        pids_max: Some(20),
        swap_bytes_max: Some(2 << 30),
        others: [("cpu-shares", "2".to_owned())].into(),
    };
    let found = FoundContainer { limits, ..shown(&created()) };
    let expected = [
        "has pids_limit 20, not 4096",
        "has memory with swap 2147483648, not 1073741824",
        "has cpu-shares 2, not none",
    ];
    assert_eq!(changes(&found), expected);
    let limits = FoundLimits { pids_max: Some(-1), ..shown(&created()).limits };
    let found = FoundContainer { limits, ..shown(&created()) };
    assert_eq!(changes(&found), ["has pids_limit none, not 4096"]);
}

#[test]
fn a_limit_of_memory_that_somebody_changed_with_its_swap_is_not_reported_twice() {
    let limits = FoundLimits { swap_bytes_max: Some(64 << 20), ..shown(&created()).limits };
    let found = FoundContainer { limits, ..shown(&created()) };
    assert_eq!(altered(&created(), &found, Some(64 << 20)), []);
}

#[test]
fn a_container_that_was_created_again_in_another_way_is_reported_without_values() {
    let found = FoundContainer {
        command: vec!["sleep".to_owned()],
        env: [("LANG".to_owned(), hash("sesame"))].into(),
        binds: vec!["/tmp:/data".to_owned()],
        volumes: Vec::new(),
        may_gain_privileges: true,
        ..shown(&created())
    };
    let expected = [
        "has command [\"sleep\"], not [\"serve\"]",
        "has another value of LANG in its environment",
        "has volumes /tmp:/data, not /etc/oml:/etc/oml:ro data:/data",
        "has may_gain_privileges true, not false",
    ];
    assert_eq!(changes(&found), expected);
}
