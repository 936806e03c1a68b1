use crate::testing::{CATALOG, SPEC, plan_with};

/// Returns a catalog whose database has these lines in the place of its ports.
fn catalog(lines: &str) -> String {
    let catalog = CATALOG.replace("    ports: [5432/tcp]\n", &format!("    {lines}\n"));
    assert_ne!(catalog, CATALOG);
    // Whether a published port accepts connections says nothing of the program.
    catalog.replace("{check: tcp, port: \"5432\"}", "{check: redis, port: \"5432\"}")
}

fn problems(lines: &str) -> String {
    plan_with(SPEC, &catalog(lines), 1).unwrap_err().to_string()
}

#[test]
fn ranges_of_two_components_of_a_node_must_not_overlap() {
    let found = problems("ports: [5432/tcp, 9000-9100/tcp]");
    let expected = "components.exporter: db and exporter both use port 9100/tcp of n1 \
                    (place one of them on another node, or change its port)";
    assert!(found.contains(expected), "{found}");
    assert!(plan_with(SPEC, &catalog("ports: [5432/tcp, 9000-9100/udp]"), 1).is_ok());
    let two = catalog("ports: [5432/tcp, 9000-9100/tcp]");
    let two = two.replace("ports: [9100/tcp]", "ports: [9050-9200/tcp]");
    let found = plan_with(SPEC, &two, 1).unwrap_err().to_string();
    assert!(found.contains("db and exporter both use ports 9050-9100/tcp of n1"), "{found}");
}

#[test]
fn ports_of_one_component_that_overlap_once_they_are_filled_in_are_refused() {
    let found = problems("ports: [5432/tcp, \"5000-{{ settings.sip_port }}/tcp\", 5060/tcp]");
    assert!(
        found.contains("components.db: uses 5060/tcp and 5000-5060/tcp, which overlap"),
        "{found}"
    );
}

#[test]
fn a_template_of_a_published_port_is_refused_with_the_network_of_the_host() {
    let found = problems("ports: [\"{{ settings.sip_port }}:80/tcp\"]");
    let expected = "components.db.ports: names a port of the container, which has the network and \
                    the ports of the host (write network: bridge, or the port of the host alone)";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn a_probe_and_metrics_of_a_port_that_does_not_lead_into_the_container_are_refused() {
    let lines = "network: bridge\n    ports: [8080:5432/tcp]\n    metrics: \"9187\"";
    let found = problems(lines);
    let hint = "and no port of the host leads there (publish the port: HOST:CONTAINER in ports)";
    for what in ["its probe asks 5432/tcp", "its metrics are at 9187/tcp"] {
        assert!(found.contains(&format!("components.db: {what}, {hint}")), "{found}");
    }
    assert!(plan_with(SPEC, &catalog("network: bridge\n    ports: [5432/tcp]"), 1).is_ok());
}

#[test]
fn more_published_ports_than_an_engine_starts_in_time_are_refused() {
    let found = problems("network: bridge\n    ports: [5432/tcp, 20000-30000/udp]");
    let expected = "components.db: publishes 10002 ports; at most 1024 can be published \
                    (write network: host, or fewer ports)";
    assert!(found.contains(expected), "{found}");
    assert!(plan_with(SPEC, &catalog("ports: [5432/tcp, 20000-30000/udp]"), 1).is_ok());
}

#[test]
fn published_ports_are_ports_of_the_host_and_the_container_knows_where_they_lead() {
    let lines = "network: bridge\n    ports: [5432/tcp, \"127.0.0.1:8000-8001:80-81/udp\"]";
    let plan = plan_with(SPEC, &catalog(lines), 1).unwrap();
    let share = &plan.nodes[&"n1".parse().unwrap()];
    let db = &share.instances[&"db".parse().unwrap()].instance;
    let written = serde_json::to_value(&**db).unwrap();
    assert_eq!(written["ports"], serde_json::json!([{"number": 5432, "protocol": "tcp"}]));
    let range = serde_json::json!({"first": 8000, "last": 8001, "protocol": "udp"});
    assert_eq!(written["ranges"], serde_json::json!([range]));
    assert_eq!(
        written["workload"]["options"]["network"],
        serde_json::json!({"kind": "bridge", "published": [
            {"host": {"first": 5432, "last": 5432, "protocol": "tcp"}, "container": 5432},
            {"host": range, "container": 80, "address": "127.0.0.1"},
        ]})
    );
}
