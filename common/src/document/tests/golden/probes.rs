//! The bytes of the checks that came after release 0.1.0, and of the place that an image is pulled
//! from.

use super::*;
use crate::document::instance::{HttpDetails, SipTransport, WebSocketDetails};

fn checks() -> [(Check, &'static str); 7] {
    let text = |text: &str| Some(text.to_owned());
    let details = HttpDetails {
        host: text("cc.example.org"),
        statuses: vec![200, 401],
        tls_name: text("cc.example.org"),
    };
    let path = "/health".to_owned();
    let (transport, host) = (SipTransport::Wss, text("cc.example.org:8089"));
    let tls_name = text("cc.example.org");
    let web_socket = WebSocketDetails { path: text("/ws"), host, tls_name };
    [
        (Check::Rtpengine { port: 22_222 }, r#"{"kind":"rtpengine","port":22222}"#),
        (Check::Gearman { port: 4_730 }, r#"{"kind":"gearman","port":4730}"#),
        (Check::Rabbitmq { port: 5_672 }, r#"{"kind":"rabbitmq","port":5672}"#),
        (
            Check::HttpDetailed { port: 443, path, tls: true, details },
            r#"{"kind":"http-detailed","port":443,"path":"/health","tls":true,"details":{"host":"cc.example.org","statuses":[200,401],"tls_name":"cc.example.org"}}"#,
        ),
        (
            Check::SipStream { port: 8_089, transport, details: web_socket },
            r#"{"kind":"sip-stream","port":8089,"transport":"wss","details":{"path":"/ws","host":"cc.example.org:8089","tls_name":"cc.example.org"}}"#,
        ),
        (
            Check::SipStream {
                port: 5_060,
                transport: SipTransport::Tcp,
                details: WebSocketDetails::default(),
            },
            r#"{"kind":"sip-stream","port":5060,"transport":"tcp"}"#,
        ),
        (
            Check::SipStream {
                port: 8_088,
                transport: SipTransport::Ws,
                details: WebSocketDetails::default(),
            },
            r#"{"kind":"sip-stream","port":8088,"transport":"ws"}"#,
        ),
    ]
}

#[test]
fn checks_that_came_later_are_written_and_read_in_the_bytes_that_are_pinned() {
    for (check, text) in checks() {
        assert_eq!(serde_json::to_string(&check).unwrap(), text);
        assert_eq!(serde_json::from_str::<Check>(text).unwrap(), check);
    }
}

#[test]
fn the_place_that_an_image_is_pulled_from_is_pinned_outside_of_the_workload() {
    let source = "mirror.example:5000/oml/asterisk";
    let instance = Instance { pull_from: Some(source.parse().unwrap()), ..full() };
    let (with, without) = (write(&instance), write(&full()));
    let field = format!(r#""pull_from":"{source}","#);
    assert!(with.contains(&field), "{with}");
    assert_eq!(with.replace(&field, ""), without);
    assert_eq!(instance.workload.hash(), full().workload.hash());
}
