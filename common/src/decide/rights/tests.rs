use super::*;
use crate::document::instance::{ContainerOptions, Device, Network, Ulimit, Volume};
use crate::testing::{SPEC, plan_of};

fn container(options: ContainerOptions) -> Container {
    let volume = |source: &str| Volume {
        source: source.to_owned(),
        target: "/data".to_owned(),
        read_only: false,
    };
    let volumes = vec![volume("oml_data"), volume("/srv/calls/x")];
    let plan = plan_of(SPEC, 1).unwrap();
    let share = &plan.nodes[&"n1".parse().unwrap()];
    let db = share.instances[&"db".parse().unwrap()].instance.container().unwrap().clone();
    Container { options: Box::new(options), volumes, ..db }
}

fn device(path: &str) -> Device {
    Device { host: path.to_owned(), container: path.to_owned(), access: "rwm".to_owned() }
}

fn dangerous() -> ContainerOptions {
    ContainerOptions {
        cap_add: ["SYS_ADMIN".parse().unwrap(), "NET_BIND_SERVICE".parse().unwrap()].into(),
        devices: vec![device("/dev/net/tun")],
        ulimits: [("rtprio".to_owned(), Ulimit { soft: 0, hard: 99 })].into(),
        sysctls: ["kernel.sem", "net.ipv4.tcp_syncookies"]
            .map(|name| (name.to_owned(), "1".to_owned()))
            .into(),
        ..ContainerOptions::default()
    }
}

fn words(rights: &BTreeSet<Right>) -> String {
    listed(rights)
}

#[test]
fn without_a_policy_what_containers_always_had_is_allowed_and_nothing_else() {
    let policy = HostPolicy::default();
    assert_eq!(words(&refused(&container(ContainerOptions::default()), &policy)), "");
    let expected =
        "real-time priority, capability SYS_ADMIN, device /dev/net/tun, sysctl kernel.sem";
    assert_eq!(words(&refused(&container(dangerous()), &policy)), expected);
    let privileged = ContainerOptions { privileged: true, ..ContainerOptions::default() };
    assert_eq!(words(&refused(&container(privileged), &policy)), "privileged");
}

#[test]
fn each_right_is_allowed_by_the_line_that_is_named_for_it() {
    let privileged = ContainerOptions { privileged: true, ..ContainerOptions::default() };
    for asked in [container(dangerous()), container(privileged)] {
        let strict = HostPolicy {
            no_host_network: true,
            host_paths: Some(BTreeSet::new()),
            ..HostPolicy::default()
        };
        let rights = refused(&asked, &strict);
        assert!(rights.contains(&Right::HostNetwork), "{rights:?}");
        for right in &rights {
            let line = lines(&[right.clone()].into()).join("\n");
            let is_other = |strict: &&str| strict.split(' ').next() != line.split(' ').next();
            let strict = ["host_network = false", "host_paths = []"].into_iter().filter(is_other);
            let lines: Vec<&str> = strict.chain([line.as_str()]).collect();
            let text = lines.join("\n");
            let policy = HostPolicy::parse(&text).unwrap();
            let left: BTreeSet<Right> =
                rights.iter().filter(|other| *other != right).cloned().collect();
            assert_eq!(refused(&asked, &policy), left, "{text}");
        }
    }
}

#[test]
fn the_lines_that_are_named_for_several_rights_are_one_file_that_allows_them() {
    let options = ContainerOptions {
        cap_add: ["NET_ADMIN".parse().unwrap(), "SYS_NICE".parse().unwrap()].into(),
        ..dangerous()
    };
    let rights = refused(&container(options.clone()), &HostPolicy::default());
    let text = lines(&rights).join("\n");
    assert!(text.contains("capabilities = [\"NET_ADMIN\", \"SYS_NICE\"]"), "{text}");
    let policy = HostPolicy::parse(&text).unwrap();
    assert_eq!(refused(&container(options), &policy), [].into());
    let host_network = [Right::HostNetwork].into();
    let expected = "allow it in /etc/omlagent/policy.toml of n1: host_network = true";
    assert_eq!(how_to_allow(&host_network, "n1"), expected);
}

#[test]
fn a_privileged_container_has_its_capabilities_and_devices_by_that() {
    let options = ContainerOptions { privileged: true, ..dangerous() };
    let policy = HostPolicy { privileged: true, realtime: true, ..HostPolicy::default() };
    assert_eq!(words(&refused(&container(options), &policy)), "sysctl kernel.sem");
}

#[test]
fn a_folder_a_prefix_and_all_capabilities_stand_for_all_in_them() {
    let policy = HostPolicy::parse(
        "capabilities = [\"ALL\"]\ndevices = [\"/dev/net\"]\nsysctls = [\"kernel.*\"]\n\
         realtime = true\nhost_paths = [\"/srv\"]",
    );
    let policy = policy.unwrap();
    assert_eq!(refused(&container(dangerous()), &policy), [].into());
    let other = ContainerOptions { devices: vec![device("/dev/network")], ..dangerous() };
    assert_eq!(words(&refused(&container(other), &policy)), "device /dev/network");
}

#[test]
fn a_container_with_a_network_of_its_own_does_not_ask_for_that_of_the_host() {
    let network = Network::Bridge { published: Vec::new() };
    let options = ContainerOptions { network, ..ContainerOptions::default() };
    let policy = HostPolicy { no_host_network: true, ..HostPolicy::default() };
    assert_eq!(refused(&container(options), &policy), [].into());
}

#[test]
fn a_held_change_says_what_is_not_allowed_and_what_to_do() {
    let rights = NotAllowed([Right::Privileged, Right::Realtime].into());
    assert_eq!(
        rights.to_string(),
        "this host does not allow it: privileged, real-time priority; allow it in \
         /etc/omlagent/policy.toml of the host, or apply a change without it"
    );
}

#[test]
fn a_policy_that_cannot_be_used_says_what_follows_and_what_is_wrong() {
    assert_eq!(
        UnusablePolicy("it is a link to nothing").to_string(),
        "/etc/omlagent/policy.toml cannot be used, so nothing that it could forbid is allowed until \
         it is mended: it is a link to nothing"
    );
}
