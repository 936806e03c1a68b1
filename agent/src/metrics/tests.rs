//! The page as Prometheus reads it.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::collections::BTreeMap;

use oml_common::document::report::Phase;
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
    };
    report.instances = BTreeMap::from([("asterisk".parse().unwrap(), instance)]);
    let (_, reports) = watch::channel(Arc::new(report));
    let (_, session) = watch::channel(SessionState::default());
    let passes = Arc::new(AtomicU64::new(3));
    Source { reports, session, passes, tenant: "acme".to_owned(), node: "voice-1".to_owned() }
}

#[test]
fn every_number_names_tenant_host_and_component() {
    let page = source().page();
    let labels = "{tenant=\"acme\",host=\"voice-1\",component=\"asterisk\"}";
    for line in ["up{} 1", "healthy{} 1", "active{} 12", "restarts{} 2", "start_time_seconds{} 1.5"]
    {
        let line = format!("oml_instance_{}\n", line.replace("{}", labels));
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
    assert!(page.contains("version=\"230204.01\",digest=\"\",phase=\"ready\"} 1\n"), "{page}");
    assert!(page.contains("oml_host_memory_used_bytes{"), "{page}");
    // What could not be read is no number.
    assert!(!page.contains("oml_host_disk_bytes{"), "{page}");
    assert!(
        page.contains("oml_agent_passes_total{tenant=\"acme\",host=\"voice-1\"} 3\n"),
        "{page}"
    );
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn only_the_page_is_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, source()));
    for (path, status) in [("/metrics", "200 OK"), ("/", "404 Not Found")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    }
    server.abort();
}
