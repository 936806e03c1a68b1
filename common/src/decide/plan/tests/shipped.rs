//! Plans of tenants with the catalogs that are shipped.

use super::*;
use crate::document::catalog::WorkloadTemplate;
use crate::id::EnvName;

const OMNILEADS: &str = include_str!("../../../../../catalog/omnileads.yaml");
const OMNILEADS_2_6: &str = include_str!("../../../../../catalog/omnileads-2.6.yaml");

/// The specification of a tenant with every component of a catalog that is wanted.
pub(super) fn spec_of(catalog: &Catalog, settings: &str, wants: impl Fn(&str) -> bool) -> String {
    let name = &catalog.name;
    let mut spec = format!("tenant: acme\ncatalog: {name}\nsettings: {settings}\ncomponents:\n");
    for (name, component) in catalog.components.iter().filter(|(name, _)| wants(name.as_str())) {
        let value = match component.workload {
            WorkloadTemplate::Container(_) => "\"1\"",
            WorkloadTemplate::Unit { .. } => "{}",
        };
        spec.push_str(&format!("  {name}: {value}\n"));
    }
    spec
}

/// Hosts with their roles, at 10.0.0.1 and the following addresses.
pub(super) fn hosts(of: &[(&str, &[&str])]) -> BTreeMap<NodeName, NodeFacts> {
    let host = |(index, (name, roles)): (usize, &(&str, &[&str]))| {
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        let address = format!("10.0.0.{}", index + 1);
        (name.parse().unwrap(), NodeFacts { roles, address, agent: None })
    };
    of.iter().enumerate().map(host).collect()
}

pub(super) fn one_host() -> BTreeMap<NodeName, NodeFacts> {
    hosts(&[("all", &["data", "voice", "app", "dialer", "qa"])])
}

pub(super) fn three_hosts() -> BTreeMap<NodeName, NodeFacts> {
    hosts(&[("d", &["data"]), ("v", &["voice"]), ("w", &["app", "dialer", "qa"])])
}

pub(super) fn plan_for(nodes: &BTreeMap<NodeName, NodeFacts>, catalog: &str, spec: &str) -> Plan {
    plan_on(nodes, spec, catalog, 1).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The value of a variable of a component, on the one host that runs it.
pub(super) fn value(plan: &Plan, component: &str, variable: &str) -> String {
    let component: ComponentName = component.parse().unwrap();
    let variable: EnvName = variable.parse().unwrap();
    let found = plan.nodes.values().find_map(|share| share.instances.get(&component));
    let container = found.and_then(|desired| desired.instance.container()).unwrap();
    container.env.get(&variable).unwrap_or_else(|| panic!("{component}: {variable}")).clone()
}

#[test]
fn one_host_can_run_the_whole_of_each_shipped_catalog() {
    for text in [OMNILEADS, OMNILEADS_2_6] {
        let catalog = Catalog::parse(text).unwrap();
        let plan = plan_for(&one_host(), text, &spec_of(&catalog, "{}", |_| true));
        let carried: usize = plan.nodes.values().map(|node| node.instances.len()).sum();
        assert_eq!(carried, catalog.components.len());
    }
}

#[test]
fn three_hosts_run_omnileads_2_6_and_change_one_after_the_other() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    let plan = plan_for(&three_hosts(), OMNILEADS_2_6, &spec_of(&catalog, "{}", |_| true));
    let carried = plan.nodes.iter().map(|(node, it)| format!("{node} {}", it.instances.len()));
    assert_eq!(carried.collect::<Vec<_>>(), ["d 9", "v 7", "w 44"]);
    let waves = plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect());
    assert_eq!(waves.collect::<Vec<Vec<&str>>>(), [["d"], ["v"], ["w"]]);
}

#[test]
fn omnileads_2_6_binds_the_loopback_address_only_where_everything_is_on_one_host() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    let spec = spec_of(&catalog, "{}", |_| true);
    let one = plan_for(&one_host(), OMNILEADS_2_6, &spec);
    let three = plan_for(&three_hosts(), OMNILEADS_2_6, &spec);
    for (component, variable, on_one, on_three) in [
        ("kamailio", "KAMAILIO_HOSTNAME", "127.0.0.1", "10.0.0.3"),
        ("nginx", "KAMAILIO_HOSTNAME", "127.0.0.1", "10.0.0.3"),
        ("omnileads", "KAMAILIO_HOSTNAME", "127.0.0.1", "10.0.0.3"),
        ("kamailio", "ASTERISK_HOSTNAME", "10.0.0.1", "10.0.0.2"),
        ("asterisk", "ASTERISK_HOSTNAME", "10.0.0.1", "10.0.0.2"),
        ("asterisk", "ARQ", "aio", "cluster"),
        ("asterisk", "DIALER_HOST", "127.0.0.1", "10.0.0.3"),
        ("asterisk-retrieve-conf", "ARI_HOST", "127.0.0.1", "10.0.0.2"),
        ("dialer-asterisk", "OMLACD_SIP_SERVER", "127.0.0.1:5260", "10.0.0.2:5260"),
        ("omnileads", "OMNIDIALER_HOST", "10.0.0.1:1440", "10.0.0.3:1440"),
        ("omnileads", "S3_ENDPOINT", "https://10.0.0.1", "https://10.0.0.3"),
        ("nginx", "S3_ENDPOINT", "http://10.0.0.1:9000", "http://10.0.0.1:9000"),
        ("websockets", "BIND_ADDRESS", "10.0.0.1:8000", "10.0.0.3:8000"),
        ("websockets", "REDIS_HOST", "redis://10.0.0.1:6379", "redis://10.0.0.1:6379"),
    ] {
        assert_eq!(value(&one, component, variable), on_one, "{component} {variable}");
        assert_eq!(value(&three, component, variable), on_three, "{component} {variable}");
    }
}

#[test]
fn a_tenant_of_omnileads_2_6_can_have_its_data_outside_and_no_dialer() {
    let catalog = Catalog::parse(OMNILEADS_2_6).unwrap();
    let outside =
        ["postgres", "redis", "minio", "rtpengine", "postgres-exporter", "redis-exporter"];
    let wants = |name: &str| !outside.contains(&name) && !name.starts_with("dialer-");
    let settings = "{postgres_host: db.example, redis_host: kv.example, rtpengine_host: media.example, \
                    bucket_url: https://s3.example, callrec_device: s3, infra_env: prod, \
                    public_ip: 192.0.2.7, fqdn: acme.example, homer_host: homer.example}";
    let plan = plan_for(&three_hosts(), OMNILEADS_2_6, &spec_of(&catalog, settings, wants));
    for (component, variable, expected) in [
        ("omnileads", "PGHOST", "db.example"),
        ("daphne", "REDIS_HOSTNAME", "kv.example"),
        ("kamailio", "RTPENGINE_HOSTNAME", "media.example"),
        ("nginx", "S3_ENDPOINT", "https://s3.example"),
        ("interaction-processor", "S3_ENDPOINT", "https://s3.example"),
        ("omnileads", "S3_ENDPOINT", "https://s3.example"),
        ("asterisk", "PUBLIC_IP", "192.0.2.7"),
        ("asterisk", "HOMER_HOST", "homer.example"),
        ("asterisk", "HOMERHOST", "homer.example"),
        ("asterisk", "HOMERPORT", "9060"),
        ("asterisk", "DIALER_HOST", "127.0.0.1"),
        ("asterisk-retrieve-conf", "ARI_HOST", "10.0.0.2"),
        ("fastagi", "DIALER_AMD_ENDPOINT", "10.0.0.3:1440"),
    ] {
        assert_eq!(value(&plan, component, variable), expected, "{component} {variable}");
    }
}

#[test]
fn the_tenant_of_the_handbook_can_be_planned_on_one_host_and_on_three() {
    let page = include_str!("../../../../../docs/omnileads.md");
    let (_, after) = page.split_once("    tenant: acme\n").unwrap();
    let lines = after.lines().take_while(|line| line.starts_with("    "));
    let lines: Vec<&str> = lines.map(|line| &line[4..]).collect();
    let spec = format!("tenant: acme\n{}\n", lines.join("\n"));
    for nodes in [one_host(), three_hosts()] {
        let plan = plan_for(&nodes, OMNILEADS_2_6, &spec);
        assert_eq!(value(&plan, "asterisk", "PUBLIC_IP"), "192.0.2.7");
        assert_eq!(value(&plan, "omnileads", "S3_ENDPOINT"), "https://acme.example.com");
    }
}
