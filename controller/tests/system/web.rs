//! What Prometheus sees.

use oml_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::agent::{Session, enroll, hello};
use crate::fleet::Fleet;
use crate::world::{StoreKind, until};

async fn get(fleet: &Fleet, path: &str) -> String {
    let address = fleet.world.running().web_listen.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_carry_tenant_host_and_component_and_say_nothing_of_the_unreachable() {
    let mut fleet = Fleet::installed(StoreKind::InMemory).await;
    let page = get(&fleet, "/metrics").await;
    let voice = "{tenant=\"acme\",host=\"acme-voice\",component=\"voice\"}";
    for line in [
        format!("oml_instance_up{voice} 1"),
        format!("oml_instance_healthy{voice} 1"),
        format!("oml_instance_active{voice} 3"),
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
    assert!(!page.contains("oml_instance_up{"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_lists_agents_and_components_that_offer_metrics() {
    let fleet = Fleet::installed(StoreKind::InMemory).await;
    let page = get(&fleet, "/sd").await;
    let body = page.split("\r\n\r\n").nth(1).unwrap();
    let found: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut found: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            format!("{} {} {}", t["labels"]["host"], t["labels"]["component"], t["targets"][0])
        })
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "\"acme-app\" \"agent\" \"10.0.0.9:9270\"",
            "\"acme-app\" \"exporter\" \"10.0.0.9:9100\"",
            "\"acme-app\" \"web\" \"10.0.0.9:9000\"",
            "\"acme-data\" \"agent\" \"10.0.0.9:9270\"",
            "\"acme-data\" \"exporter\" \"10.0.0.9:9100\"",
            "\"acme-voice\" \"agent\" \"10.0.0.9:9270\"",
            "\"acme-voice\" \"exporter\" \"10.0.0.9:9100\"",
        ]
    );
    assert!(get(&fleet, "/healthz").await.ends_with("ok\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_leaves_out_an_agent_whose_metrics_nobody_can_reach() {
    let fleet = Fleet::installed(StoreKind::InMemory).await;
    let host = enroll(&fleet.world, "acme", "data", "acme-quiet").await;
    let channel = fleet.world.channel(&host.credentials).await;
    // Metrics on loopback, or none at all: the agent says 0.
    let hello = v1::Hello { metrics_port: 0, ..hello(None) };
    let _session = Session::greeting(channel, hello).await.unwrap();
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
