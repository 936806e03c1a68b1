#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use oml_common::document::instance::WebSocketDetails;

use super::*;

fn request() -> Request {
    Request::new(
        "UDP",
        "127.0.0.1:5060".parse().unwrap(),
        "127.0.0.1:40000".parse().unwrap(),
        &Random::system(),
    )
}

fn answer(request: &Request, status: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\nv: SIP/2.0/UDP 127.0.0.1:40000;rport=40000;branch={};received=127.0.0.1\r\n\
         call-id: {}\r\nCSEQ: 1  OPTIONS\r\nContent-Length: 0\r\n\r\n",
        request.branch, request.call_id
    )
}

#[test]
fn a_final_answer_to_this_request_counts_with_any_status() {
    let request = request();
    for (status, number) in [("200 OK", 200), ("404 Not Found", 404), ("503 Busy", 503)] {
        assert_eq!(request.final_status(&answer(&request, status)), Some(number));
    }
}

#[test]
fn anything_else_is_waited_past() {
    let (request, other) = (request(), self::request());
    assert_ne!(request.call_id, other.call_id);
    assert_eq!(request.final_status(&answer(&request, "100 Trying")), None);
    assert_eq!(request.final_status(&answer(&other, "200 OK")), None);
    assert_eq!(request.final_status("OPTIONS sip:x SIP/2.0\r\n\r\n"), None);
    assert_eq!(request.final_status(""), None);
    let wrong_method = answer(&request, "200 OK").replace("OPTIONS", "REGISTER");
    assert_eq!(request.final_status(&wrong_method), None);
}

#[test]
fn the_request_says_what_the_standard_asks_for() {
    let request = request();
    let text = request.text();
    for header in ["Via: ", "Max-Forwards: ", "From: ", "To: ", "Call-ID: ", "CSeq: 1 OPTIONS"] {
        assert!(text.contains(&format!("\r\n{header}")), "{header}");
    }
    assert!(text.contains(";tag="));
    assert!(request.branch.starts_with("z9hG4bK"));
    assert!(text.ends_with("Content-Length: 0\r\n\r\n"));
}

/// Returns an answer to a request of OPTIONS as its text was received.
fn answer_to(text: &str, status: &str) -> String {
    let repeated: String = text
        .lines()
        .filter(|line| ["Via", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\r\n"))
        .collect();
    format!("SIP/2.0 {status}\r\n{repeated}Content-Length: 0\r\n\r\n")
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn over_tcp_an_answer_may_come_in_pieces_and_after_another() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 2048];
        let length = stream.read(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.contains("\r\nVia: SIP/2.0/TCP 127.0.0.1:"), "{text}");
        let first = answer_to(&text, "100 Trying");
        let both = format!("\r\n\r\n{first}\r\n{}", answer_to(&text, "200 OK"));
        let (first, second) = both.split_at(both.len() - 9);
        stream.write_all(first.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(second.as_bytes()).await.unwrap();
        // The asker closes it.
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let answered = ask_over_tcp(stream, &Random::system()).await;
    assert_eq!(answered.unwrap(), "answers OPTIONS with 200");
}

async fn ask_at(address: SocketAddr) -> Result<String, Silence> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (peer, local) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    let host = Some("cc.example.org:8089".to_owned());
    let details = WebSocketDetails { path: Some("/ws".to_owned()), host, tls_name: None };
    let opening = Opening { transport: "WS", peer, local, details: &details };
    ask_over_websocket(stream, opening, &Random::system()).await
}

#[tokio::test]
#[expect(clippy::result_large_err, reason = "the type of the library's callback")]
async fn over_websocket_the_subprotocol_is_sip_and_a_message_is_a_text() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    use tokio_tungstenite::tungstenite::http::HeaderValue;

    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let accept = |request: &Request, mut response: Response| {
            let asked = request.headers().get("Sec-WebSocket-Protocol");
            assert_eq!(asked, Some(&HeaderValue::from_static("sip")));
            assert_eq!(request.uri().path(), "/ws");
            assert_eq!(request.headers()["Host"], "cc.example.org:8089");
            let agreed = HeaderValue::from_static("sip");
            response.headers_mut().insert("Sec-WebSocket-Protocol", agreed);
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, accept).await.unwrap();
        let text = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(text.contains("\r\nVia: SIP/2.0/WS 127.0.0.1:"), "{text}");
        socket.send(Message::text(answer_to(&text, "100 Trying"))).await.unwrap();
        socket.send(Message::text(answer_to(&text, "404 Not Here"))).await.unwrap();
    });
    assert_eq!(ask_at(address).await.unwrap(), "answers OPTIONS with 404");
}

#[tokio::test]
async fn what_speaks_no_websocket_is_named() {
    for (answer, expected) in [
        ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP status 503"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "the answer is not a WebSocket's"),
    ] {
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 2048];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        assert_eq!(ask_at(address).await.unwrap_err().to_string(), expected);
    }
}
