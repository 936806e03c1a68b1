//! Which catalogs are read, and which problems the others have.

use super::*;

mod lines;
mod omnileads_1_26;
mod omnileads_2_2;
mod omnileads_2_6;
mod omnileads_3;

const OMNILEADS: &str = include_str!("../../../../catalog/omnileads.yaml");
const OMNILEADS_1_26: &str = include_str!("../../../../catalog/omnileads-1.26.yaml");
const OMNILEADS_2_2: &str = include_str!("../../../../catalog/omnileads-2.2.yaml");
const OMNILEADS_2_6: &str = include_str!("../../../../catalog/omnileads-2.6.yaml");
const OMNILEADS_3: &str = include_str!("../../../../catalog/omnileads-3.yaml");
/// The catalogs of real OMniLeads, from the oldest line to the newest.
const LINES: [&str; 4] = [OMNILEADS_1_26, OMNILEADS_2_2, OMNILEADS_2_6, OMNILEADS_3];

fn refused(text: &str) -> String {
    Catalog::parse(text).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

fn with_component(lines: &str) -> String {
    format!(
        "catalog: test\nregistry: docker.io/test\ncomponents:\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: web\n    probe: {{check: tcp, port: \"80\"}}\n{lines}"
    )
}

#[test]
fn the_shipped_catalog_is_valid_and_complete() {
    let catalog = Catalog::parse(OMNILEADS).unwrap();
    let names: Vec<&str> = catalog.components.keys().map(AsRef::as_ref).collect();
    assert_eq!(
        names,
        [
            "asterisk",
            "daphne",
            "kamailio",
            "nginx",
            "node-exporter",
            "omnileads",
            "postgres",
            "redis",
            "rtpengine",
            "websockets"
        ]
    );
}

#[test]
fn hosts_keep_the_unit_container_and_volume_names_they_have() {
    let catalog = Catalog::parse(OMNILEADS).unwrap();
    let asterisk = &catalog.components[&"asterisk".parse().unwrap()];
    assert_eq!(asterisk.unit.as_str(), "asterisk.service");
    let WorkloadTemplate::Container(container) = &asterisk.workload else { unreachable!() };
    assert_eq!(container.name.as_str(), "oml-asterisk-server");
    assert!(container.volumes.iter().any(|volume| volume.source == "asterisk_conf"));
}

#[test]
fn an_unknown_dependency_is_refused_by_name() {
    let text = with_component("    after: [wed]\n");
    assert_eq!(refused(&text), "components.web.after: wed is not a component (did you mean web?)");
}

#[test]
fn a_cycle_is_refused_with_every_component_on_it() {
    let text = with_component("    after: [db]\n")
        + "  db:\n    roles: [app]\n    unit: db.service\n    \
         container: dbc\n    image: db\n    after: [web]\n    probe: {check: tcp, port: \"81\"}\n";
    assert_eq!(refused(&text), "components: components wait for each other: db after web after db");
}

#[test]
fn two_components_never_share_a_unit_or_container() {
    let text = with_component("")
        + "  web2:\n    roles: [app]\n    unit: web.service\n    \
         container: web\n    image: web\n    probe: {check: tcp, port: \"81\"}\n";
    let problems = refused(&text);
    assert!(
        problems.contains("components.web2.unit: the unit web.service already belongs to web"),
        "{problems}"
    );
    assert!(
        problems.contains("components.web2.container: the container web already belongs to web"),
        "{problems}"
    );
}

#[test]
fn neither_the_engine_nor_the_whole_host_is_mounted_into_a_container() {
    let sources = ["/", "//", "/var/run/docker.sock", "//run//docker.sock", "/var/lib/docker/"];
    for source in sources.into_iter().chain(["/var/./lib", "/etc", "/etc/omlagent/secrets"]) {
        let text = with_component(&format!("    volumes: [\"{source}:/x\"]\n"));
        let problems = refused(&text);
        let expected = format!("{source} must not be mounted into a container");
        assert!(problems.contains(&expected), "{source}: {problems}");
    }
    for source in ["../etc", "/var/lib/../../etc"] {
        let text = with_component(&format!("    volumes: [\"{source}:/x\"]\n"));
        assert!(refused(&text).contains("a volume must be source:target"), "{source}");
    }
    assert_eq!(
        refused(&with_component("    volumes: [\"/etc/:/x\"]\n")),
        "line 10: components.web.volumes[0]: /etc/ must not be mounted into a container, because \
         /etc/docker must not (mount a folder of its own)"
    );
}

#[test]
fn every_volume_has_a_place_of_its_own_in_the_container() {
    let problems = refused(&with_component("    volumes: [\"a:/data\", \"b://data/\"]\n"));
    assert!(problems.contains("volumes[1]: //data/ is already the place of a"), "{problems}");
    let problems = refused(&with_component("    volumes: [\"a:/./\"]\n"));
    assert!(problems.contains("nothing can be mounted over / in the container"), "{problems}");
}

#[test]
fn a_template_where_none_is_filled_in_is_refused() {
    for line in [
        "volumes: [\"{{ tenant }}:/x\"]",
        "active: {command: [x], before: \"{{ tenant }}\", noun: calls}",
        "metrics: {port: \"80\", path: \"/{{ tenant }}\"}",
    ] {
        let problems = refused(&with_component(&format!("    {line}\n")));
        assert!(
            problems.contains("a template is not filled in here (write the value)"),
            "{problems}"
        );
    }
}

#[test]
fn the_default_of_a_setting_is_no_template() {
    for text in ["{{ tenant }}", "{% if x %}", "{# x #}"] {
        let catalog = with_component("");
        let settings = format!("settings: {{colour: \"{text}\"}}\ncomponents:");
        let problems = refused(&catalog.replacen("components:", &settings, 1));
        let expected = "settings.colour: a template is not filled in here (write the value)";
        assert!(problems.contains(expected), "{problems}");
    }
}

#[test]
fn a_folder_that_the_agent_does_not_see_is_not_mounted() {
    for source in ["/home/ana/link", "/tmp", "/var/tmp/x", "/root"] {
        let problems = refused(&with_component(&format!("    volumes: [\"{source}:/x\"]\n")));
        assert!(
            problems.contains(&format!("{source} cannot be checked on the host")),
            "{problems}"
        );
    }
}

#[test]
fn every_problem_of_a_component_is_reported_at_once() {
    let text =
        with_component("    prot: [80/tcp]\n    start_timeout: soon\n    active: {command: [x]}\n");
    let problems = refused(&text);
    assert!(problems.contains("components.web.prot: unknown key"), "{problems}");
    assert!(problems.contains("components.web.start_timeout"), "{problems}");
    assert!(problems.contains("components.web.active.before: is missing"), "{problems}");
}

#[test]
fn a_packaged_unit_has_no_probe_that_needs_a_supervisor() {
    let unit = "  sbc:\n    kind: unit\n    roles: [app]\n    unit: sbc.service\n    ";
    let asks = "probe: {check: tcp, port: \"81\"}\n    \
                active: {command: [count], before: active call, noun: calls}\n";
    let problems = refused(&format!("{}{unit}{asks}", with_component("")));
    assert_eq!(
        problems,
        "line 14: components.sbc.probe: a packaged unit supports only the probe unit-active (write {check: unit-active})\n\
         line 15: components.sbc.active: a packaged unit does not support active (remove it, or run the component in a container)"
    );
    let problems =
        Catalog::parse(&format!("{}{unit}probe: {{check: unit-active}}\n", with_component("")));
    assert!(problems.is_ok(), "{problems:?}");
}

#[test]
fn only_a_check_of_a_port_has_an_address() {
    let probe_of = |probe: &str| {
        Catalog::parse(&with_component("").replace("{check: tcp, port: \"80\"}", probe))
    };
    let catalog = probe_of("{check: tcp, port: \"80\", address: \"{{ node.address }}\"}").unwrap();
    let probe = &catalog.components[&"web".parse().unwrap()].probe;
    assert_eq!(probe.address.as_deref(), Some("{{ node.address }}"));
    let problems = probe_of("{check: exec, command: [true], address: 10.0.0.5}").unwrap_err();
    assert_eq!(
        problems.to_string(),
        "line 9: components.web.probe.address: this check asks no port, so it has no address"
    );
}

#[test]
fn when_an_unhealthy_component_is_restarted_is_read_in_every_form() {
    let read = |text: &str| {
        let catalog = Catalog::parse(&with_component(&format!("    {text}\n"))).unwrap();
        let found = &catalog.components[&"web".parse().unwrap()].restart_unhealthy;
        (found.after_ms, found.cuts_calls)
    };
    assert_eq!(read("after: []"), (Some(300_000), false));
    assert_eq!(read("restart_unhealthy: 90s"), (Some(90_000), false));
    assert_eq!(read("restart_unhealthy: never"), (None, false));
    assert_eq!(read("restart_unhealthy: {after: 10m, cut_calls: true}"), (Some(600_000), true));
    for wrong in ["0s", "soon", "[5m]", "{cut_calls: true}"] {
        let text = with_component(&format!("    restart_unhealthy: {wrong}\n"));
        assert!(refused(&text).contains("components.web.restart_unhealthy"), "{wrong}");
    }
}

fn container_of(text: &str) -> ContainerTemplate {
    let catalog = Catalog::parse(text).unwrap();
    let component = &catalog.components[&"web".parse().unwrap()];
    let WorkloadTemplate::Container(container) = &component.workload else { unreachable!() };
    container.clone()
}

#[test]
fn a_container_is_confined_unless_the_catalog_says_otherwise() {
    let container = container_of(&with_component(""));
    assert_eq!((container.pids_limit.0.get(), container.may_gain_privileges), (4096, false));
    // Less than the default, and the default itself, need no reason.
    let stricter = "    pids_limit: 100\n    no_new_privileges: true\n";
    let container = container_of(&with_component(stricter));
    assert_eq!((container.pids_limit.0.get(), container.may_gain_privileges), (100, false));
    let more = "    pids_limit: 16384\n    no_new_privileges: false\n    because: it calls sudo\n";
    let container = container_of(&with_component(more));
    assert_eq!((container.pids_limit.0.get(), container.may_gain_privileges), (16_384, true));
}

#[test]
fn a_container_that_is_confined_less_needs_a_reason() {
    let more = "    pids_limit: 16384\n    no_new_privileges: false\n    because: \" \"\n";
    let hint = "(write because: and the reason, in the same component)";
    assert_eq!(
        refused(&with_component(more)),
        format!(
            "line 10: components.web.pids_limit: a limit above 4096 needs a reason {hint}\n\
             line 11: components.web.no_new_privileges: false needs a reason {hint}"
        )
    );
    for limit in ["0", "-1", "4194305", "many"] {
        let problems = refused(&with_component(&format!("    pids_limit: {limit}\n")));
        assert!(problems.contains("components.web.pids_limit"), "{limit}: {problems}");
    }
}

#[test]
fn no_shipped_component_with_a_udp_port_is_restarted_without_a_count_of_its_calls() {
    for text in [OMNILEADS].into_iter().chain(LINES) {
        let catalog = Catalog::parse(text).unwrap();
        for (name, component) in &catalog.components {
            let may_carry_calls = component.ports.iter().any(|port| port.ends_with("/udp"));
            if may_carry_calls && component.active.is_none() {
                assert_eq!(component.restart_unhealthy.after_ms, None, "{name}");
            }
        }
    }
}

/// What earlier releases did not refuse, with its place.
const TOLERATED: [(&str, &str); 4] = [
    ("    metrics: {port: \"9100\", path: metrics}\n", "metrics.path: must begin with /"),
    ("    start_timeout: 0s\n", "start_timeout: must be longer than 0"),
    ("    active: {command: [], before: call, noun: calls}\n", "active.command: names no program"),
    (
        "    active: {noun: calls, sources: [{command: [], before: call}]}\n",
        "active.sources[0].command: names no program",
    ),
];

#[test]
fn what_earlier_releases_did_not_refuse_is_a_mistake_and_keeps_no_component_out() {
    for (lines, expected) in TOLERATED {
        let text = with_component(lines);
        let refused = refused(&text);
        assert!(refused.contains(&format!("components.web.{expected}")), "{lines}: {refused}");
        let catalog = CatalogSources::alone(&text).usable().unwrap();
        assert!(catalog.broken.is_empty() && catalog.components.len() == 1, "{lines}");
        assert_eq!(catalog.tolerated.len(), 1, "{lines}");
    }
    let text = with_component("").replace("80\"", "80\", interval: 0s, timeout: 0s");
    let catalog = CatalogSources::alone(&text).catalog().unwrap();
    let probe = &catalog.components[&"web".parse().unwrap()].probe;
    assert_eq!((probe.interval_ms, probe.timeout_ms), (10_000, 2_000));
    assert_eq!(refused(&text).lines().count(), 2);
}
