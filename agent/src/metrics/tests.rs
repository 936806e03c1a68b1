//! The page as Prometheus reads it.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::collections::BTreeMap;

use oml_common::document::report::{InstanceReport, Phase};
use oml_common::document::status::Health;
use oml_common::time::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn source() -> Source {
    let mut report = crate::agent::empty_report(Timestamp(0));
    report.host.memory_total_bytes = 2048;
    let instance = InstanceReport {
        phase: Phase::Ready,
        reason: String::new(),
        reason_key: String::new(),
        version: Some("230204.01".parse().unwrap()),
        digest: None,
        hash: None,
        health: Health::Healthy,
        checked_at: None,
        started_at: Some(Timestamp(1_500)),
        restarts: 2,
        active: Some(12),
        calls_cut: Some(0),
        failure: None,
        drift: None,
        last_exit: None,
        update_runs: Vec::new(),
    };
    report.instances = BTreeMap::from([("asterisk".parse().unwrap(), instance)]);
    let (_, reports) = watch::channel(Arc::new(report));
    let certificate_expires = Some(Timestamp(90_000));
    let (_, session) = watch::channel(SessionState { certificate_expires, ..Default::default() });
    Source { reports, session, passes: Arc::new(AtomicU64::new(3)) }
}

#[test]
fn the_page_shows_the_last_report_and_the_session() {
    let page = source().page(Format::Text);
    for line in [
        "oml_agent_instance_up{component=\"asterisk\"} 1",
        "oml_agent_instance_ready{component=\"asterisk\"} 1",
        "oml_agent_instance_healthy{component=\"asterisk\"} 1",
        "oml_agent_instance_active{component=\"asterisk\"} 12",
        "oml_agent_instance_calls_cut{component=\"asterisk\"} 0",
        "oml_agent_instance_restarts_total{component=\"asterisk\"} 2",
        "oml_agent_instance_start_time_seconds{component=\"asterisk\"} 1.5",
        "oml_agent_instance_info{component=\"asterisk\",version=\"230204.01\",phase=\"ready\",digest=\"\"} 1",
        "oml_agent_host_memory_bytes{} 2048",
        "oml_agent_passes_total{} 3",
        "oml_agent_session_up{} 0",
        "oml_agent_certificate_expiry_timestamp_seconds{} 90.0",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line} is not in\n{page}");
    }
    // What could not be read is no number.
    assert!(!page.contains("oml_agent_host_disk_bytes{"), "{page}");
}

/// The controller's page has the names without this prefix, and the labels of the target say
/// whose page it is: Prometheus would rename labels of the page that a target has too.
#[test]
fn every_series_belongs_to_the_agent_and_repeats_no_label_of_its_target() {
    let page = source().page(Format::OpenMetrics);
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("oml_agent_"), "{line}");
        for label in ["tenant=", "host=", "job=", "instance="] {
            assert!(!line.contains(label), "{line}");
        }
    }
}

#[tokio::test]
async fn only_the_page_is_offered_in_the_format_that_is_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, source()));
    let text = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n";
    let openmetrics =
        "\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    for (path, accept, status, header) in [
        ("/metrics", "*/*", "200 OK", text),
        ("/metrics", "application/openmetrics-text", "200 OK", openmetrics),
        ("/", "*/*", "404 Not Found", "\r\n"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains(header), "{answer}");
    }
    server.abort();
}
