//! Tests of the pages for Prometheus.

use oml_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::agent::{Session, enroll, hello};
use crate::fleet::Fleet;
use crate::world::{StoreKind, until};

pub(crate) async fn get(fleet: &Fleet, path: &str) -> String {
    get_as(fleet, path, "*/*").await
}

async fn get_as(fleet: &Fleet, path: &str, accept: &str) -> String {
    let address = fleet.world.running().web_listen.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_have_labels_and_leave_out_instances_of_unreachable_nodes() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let page = get(&fleet, "/metrics").await;
    let voice = "{tenant=\"acme\",host=\"acme-voice\",component=\"voice\"}";
    let host = "{tenant=\"acme\",host=\"acme-voice\"}";
    for line in [
        format!("oml_instance_up{voice} 1"),
        format!("oml_instance_healthy{voice} 1"),
        format!("oml_instance_active{voice} 3"),
        format!("oml_instance_ready{voice} 1"),
        format!("oml_instance_calls_cut{voice} 0"),
        format!("oml_instance_restarts_total{voice} 0"),
        format!("oml_host_cpu_ratio{host} 0.25"),
        format!("oml_host_memory_used_bytes{host} 100"),
        format!("oml_host_disk_bytes{host} 4000"),
        "oml_node_connected{tenant=\"acme\",host=\"acme-app\"} 1".to_owned(),
        "oml_rollout_state{tenant=\"acme\",state=\"completed\"} 1".to_owned(),
        "oml_tenant_revision{tenant=\"acme\"} 1".to_owned(),
        "oml_task_panics_total{task=\"rollout\"} 0".to_owned(),
    ] {
        assert!(page.contains(&line), "{line} is not on the page:\n{page}");
    }
    assert!(page.contains("version=\"1\",phase=\"ready\""), "{page}");
    assert!(page.trim_end().ends_with("# EOF"));
    fleet.agents.clear();
    until(&mut fleet.operator, "acme", |s| {
        s.nodes.iter().all(|n| n.state() == v1::NodeState::Unreachable)
    })
    .await;
    let page = get(&fleet, "/metrics").await;
    assert!(page.contains("oml_node_connected{tenant=\"acme\",host=\"acme-app\"} 0"), "{page}");
    for unknown in ["oml_instance_up{", "oml_host_cpu_ratio{"] {
        assert!(!page.contains(unknown), "{page}");
    }
    assert!(page.contains("oml_node_certificate_expiry_timestamp_seconds{"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_named_and_typed_as_the_format_that_is_asked_for() {
    let fleet = Fleet::installed(StoreKind::InMemory).await;
    let text = get(&fleet, "/metrics").await;
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
    let (_, page) = text.split_once("\r\n\r\n").unwrap();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        // Those are the agent's.
        assert!(!name.starts_with("oml_agent_"), "{line}");
        assert!(page.contains(&format!("# HELP {name} ")), "{name} has no help:\n{page}");
        let is_counter = page.contains(&format!("# TYPE {name} counter\n"));
        assert_eq!(is_counter, name.ends_with("_total"), "{name}");
    }
    for certificate in ["server", "authority"] {
        let line = format!(
            "oml_controller_certificate_expiry_timestamp_seconds{{certificate=\"{certificate}\"}} "
        );
        let expiry = page.lines().find_map(|shown| shown.strip_prefix(&line)).expect(&line);
        assert!(expiry.parse::<f64>().unwrap() > 1_000_000_000.0, "{expiry}");
    }
    let openmetrics = get_as(&fleet, "/metrics", "application/openmetrics-text, */*;q=0.1").await;
    let header = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(openmetrics.contains(header), "{openmetrics}");
    assert!(openmetrics.contains("# TYPE oml_task_passes counter\n"), "{openmetrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_lists_agents_and_components_with_metrics() {
    let fleet = Fleet::installed(StoreKind::InMemory).await;
    let page = get(&fleet, "/sd").await;
    let body = page.split("\r\n\r\n").nth(1).unwrap();
    let found: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut found: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            let labels = &t["labels"];
            assert_eq!(labels["tenant"], "acme", "{labels}");
            format!("{} {} {}", labels["host"], labels["component"], t["targets"][0])
        })
        .collect();
    found.sort();
    // An agent is no component.
    assert_eq!(
        found,
        [
            "\"acme-app\" \"exporter\" \"10.0.0.9:9100\"",
            "\"acme-app\" \"web\" \"10.0.0.9:9000\"",
            "\"acme-app\" null \"10.0.0.9:9270\"",
            "\"acme-data\" \"exporter\" \"10.0.0.9:9100\"",
            "\"acme-data\" null \"10.0.0.9:9270\"",
            "\"acme-voice\" \"exporter\" \"10.0.0.9:9100\"",
            "\"acme-voice\" null \"10.0.0.9:9270\"",
        ]
    );
    assert!(get(&fleet, "/healthz").await.ends_with("ok\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_leaves_out_an_agent_without_reachable_metrics() {
    let fleet = Fleet::installed(StoreKind::InMemory).await;
    let host = enroll(&fleet.world, "acme", "data", "acme-quiet").await;
    let channel = fleet.world.channel(&host.credentials).await;
    // An agent with metrics only on loopback, or without metrics, reports port 0.
    let hello = v1::Hello { metrics_port: 0, ..hello(None) };
    let _session = Session::open_with_hello(channel, hello).await.unwrap();
    until(&mut fleet.world.operator().await, "acme", |status| {
        status
            .nodes
            .iter()
            .any(|node| node.node == "acme-quiet" && node.state() == v1::NodeState::Connected)
    })
    .await;
    let page = get(&fleet, "/sd").await;
    assert!(page.contains("acme-data") && !page.contains("acme-quiet"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_or_a_metrics_port_of_a_later_release_ends_no_session() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let mut sessions = Vec::new();
    for (node, address, metrics_port) in
        [("acme-pair", "10.0.0.7,fd00::7", 9271), ("acme-socket", "10.0.0.8", 65_536)]
    {
        let host = enroll(&fleet.world, "acme", "data", node).await;
        let hello = v1::Hello { address: address.into(), metrics_port, ..hello(None) };
        let channel = fleet.world.channel(&host.credentials).await;
        let session = Session::open_with_hello(channel, hello).await.unwrap();
        let kind = Some(v1::agent_message::Kind::Report(v1::Report::default()));
        session.up.send(v1::AgentMessage { kind }).await.unwrap();
        until(&mut fleet.operator, "acme", |status| {
            status.nodes.iter().any(|known| known.node == node && known.report.is_some())
        })
        .await;
        sessions.push(session);
    }
    let page = get(&fleet, "/sd").await;
    // The one is found at the address of its connection, and the other has no metrics.
    assert!(page.contains("acme-pair") && page.contains("127.0.0.1:9271"), "{page}");
    assert!(!page.contains("acme-socket"), "{page}");
}
