#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::net::Ipv4Addr;
use std::path::Path;

use oml_common::document::instance::HttpDetails;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use super::*;
use crate::paths::Paths;
use crate::runtime::ContainerEngine as _;
use crate::runtime::docker::Docker;

/// Answers the first connection with `answer` once it has sent something.
async fn server(answer: impl Into<Vec<u8>>) -> u16 {
    server_at("127.0.0.1", answer).await
}

async fn server_at(address: &str, answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0; 1024];
        let read = stream.read(&mut question).await.unwrap();
        assert!(read > 0);
        stream.write_all(&answer).await.unwrap();
    });
    port
}

/// Returns a port at which nobody listens while the socket, which is bound to it, exists.
fn closed_port() -> (TcpSocket, u16) {
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = closed.local_addr().unwrap().port();
    (closed, port)
}

async fn ask_it(check: Check) -> Answer {
    ask_at_address(check, None).await
}

/// Asks with the tables of sockets of this host.
async fn ask_at_address(check: Check, address: Option<&str>) -> Answer {
    let engine = Docker::new(Paths::below(Path::new("/nonexistent")), Vec::new(), None);
    let random = Random::system();
    let target = ProbeTarget { calls: engine.calls(), container: "none", random: &random };
    let (interval_ms, timeout_ms, failures_max) = (1_000, 1_000, 3);
    let address = address.map(str::to_owned);
    let probe = Probe { check, address, interval_ms, timeout_ms, failures_max };
    LocalProber::new("/proc".into()).ask(&probe, target).await
}

fn http(port: u16) -> Check {
    Check::Http { port, path: "/".to_owned(), tls: false }
}

/// Returns the answer without the address that was asked.
async fn ask_for_words(check: Check) -> Answer {
    match ask_it(check).await {
        Answer::Bad(text) => match text.split_once(" (asked 127.0.0.1:") {
            Some((words, _port)) => bad(words),
            None => panic!("no address is named: {text}"),
        },
        answer @ (Answer::Good(_) | Answer::Unknown(_)) => answer,
    }
}

fn good(text: &str) -> Answer {
    Answer::Good(text.to_owned())
}

fn bad(text: &str) -> Answer {
    Answer::Bad(text.to_owned())
}

#[tokio::test]
async fn http_is_healthy_below_400() {
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], good("HTTP status 200")),
        (b"HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n", good("HTTP status 302")),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", bad("HTTP status 404")),
        (b"HTTP/1.1 503\r\n\r\n", bad("HTTP status 503")),
        (b"SSH-2.0-OpenSSH\r\n", bad("the answer is not HTTP")),
        (b"", bad("connection closed without an answer")),
    ] {
        assert_eq!(ask_for_words(http(server(answer).await)).await, expected);
    }
}

#[tokio::test]
async fn words_of_a_program_are_shown_without_what_a_terminal_acts_on() {
    let port = server("-ERR \u{1b}[2J\u{202e}\r\n").await;
    let answer = ask_it(Check::Redis { port }).await;
    let Answer::Bad(text) = &answer else { panic!("{answer:?}") };
    assert!(text.contains("\\u{1b}[2J\\u{202e}"), "{text}");
}

#[tokio::test]
async fn nobody_listening_and_nobody_answering_are_distinguished() {
    let (_closed, port) = closed_port();
    let refused = format!("connection refused (asked 127.0.0.1:{port})");
    assert_eq!(ask_it(http(port)).await, bad(&refused));
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let late = format!("no answer within 1000 ms (asked 127.0.0.1:{port})");
    assert_eq!(ask_it(http(port)).await, bad(&late));
    assert_eq!(ask_it(Check::Tcp { port }).await, good("accepts connections"));
}

#[tokio::test]
async fn an_http_probe_says_its_host_and_expects_its_statuses() {
    let asked = |statuses: &[u16]| HttpDetails {
        host: Some("cc.example.org".to_owned()),
        statuses: statuses.to_vec(),
        tls_name: None,
    };
    for (status, statuses, expected) in [
        (401, &[200, 401][..], good("HTTP status 401")),
        (302, &[200], bad("HTTP status 302")),
        (200, &[], good("HTTP status 200")),
    ] {
        // The answer repeats what was asked as its reason phrase, which nobody reads.
        let (port, question) = repeater(format!("HTTP/1.1 {status} X\r\n\r\n")).await;
        let details = asked(statuses);
        let check = Check::HttpDetailed { port, path: "/health".to_owned(), tls: false, details };
        assert_eq!(ask_for_words(check).await, expected);
        let question = question.await.unwrap();
        assert!(question.starts_with("GET /health HTTP/1.1\r\nHost: cc.example.org\r\n"));
    }
}

/// Answers the first connection and passes on what it was asked.
async fn repeater(answer: String) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0; 2048];
        let read = stream.read(&mut question).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&question[..read]).into_owned()
    });
    (port, asked)
}

#[tokio::test]
async fn gearman_is_healthy_when_it_says_its_version() {
    for (answer, expected) in [
        ("OK 1.1.21.2\n", good("Gearman 1.1.21.2")),
        ("0.33\n", good("Gearman 0.33")),
        ("ERR UNKNOWN_COMMAND Unknown+server+command\n", bad("the answer is not Gearman's")),
        ("", bad("connection closed without an answer")),
    ] {
        let port = server(answer).await;
        assert_eq!(ask_for_words(Check::Gearman { port }).await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn rabbitmq_is_healthy_when_it_offers_a_login() {
    let start = [1, 0, 0, 0, 0, 1, 0xf8, 0, 10, 0, 10, 0, 9];
    for (answer, expected) in [
        (start.to_vec(), good("offers an AMQP 0-9-1 login")),
        // It speaks another version only.
        (b"AMQP\x03\x01\x00\x00....".to_vec(), bad("the answer is not AMQP 0-9-1")),
        (b"AMQP\x00\x00\x09\x01".to_vec(), bad("connection closed without an answer")),
    ] {
        let port = server(answer.clone()).await;
        assert_eq!(ask_for_words(Check::Rabbitmq { port }).await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn rtpengine_is_asked_again_until_it_answers_this_ping() {
    for (answer, expected) in [
        ("d6:result4:ponge", good("answers the ng ping")),
        ("d7:version2:126:result4:ponge", good("answers the ng ping")),
        ("d6:result5:errore", bad("answers the ng ping with \"d6:result5:errore\"")),
    ] {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            // The first one is lost.
            server.recv_from(&mut buffer).await.unwrap();
            let (length, from) = server.recv_from(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let (cookie, question) = text.split_once(' ').unwrap();
            assert_eq!(question, "d7:command4:pinge");
            for text in [format!("other {answer}"), format!("{cookie} {answer}")] {
                server.send_to(text.as_bytes(), from).await.unwrap();
            }
        });
        assert_eq!(ask_for_words(Check::Rtpengine { port }).await, expected);
    }
}

#[tokio::test]
async fn tls_to_something_else_is_bad() {
    let port = server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let answer = ask_it(Check::Http { port, path: "/".to_owned(), tls: true }).await;
    assert!(matches!(answer, Answer::Bad(_)), "{answer:?}");
}

#[tokio::test]
async fn redis_is_healthy_when_it_answers_or_wants_a_login() {
    for (answer, expected) in [
        (&b"+PONG\r\n"[..], good("answers PING")),
        (b"-NOAUTH Authentication required.\r\n", good("answers PING, wants a login")),
        (
            b"-LOADING Redis is loading the dataset in memory\r\n",
            bad("answers PING with \"-LOADING Redis is loading the dataset in memory\""),
        ),
    ] {
        let port = server(answer).await;
        assert_eq!(ask_for_words(Check::Redis { port }).await, expected);
    }
}

#[tokio::test]
async fn postgres_is_healthy_unless_it_is_starting_up() {
    let error = |fields: &[u8]| {
        let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
        [b"E", &length[..], fields].concat()
    };
    let cases = [
        (b"R\0\0\0\x08\0\0\0\x05".to_vec(), good("accepts logins")),
        (
            error(b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"),
            bad("the database system is starting up"),
        ),
        (error(b"SFATAL\0C28000\0Mno such role\0\0"), good("accepts logins")),
        (b"HTTP/1.1 400\r\n".to_vec(), bad("the answer is not PostgreSQL's")),
    ];
    for (answer, expected) in cases {
        let port = server(answer).await;
        let user = "oml".to_owned();
        assert_eq!(ask_for_words(Check::Postgres { port, user }).await, expected);
    }
}

#[tokio::test]
async fn a_command_in_a_container_of_an_absent_engine_says_nothing_of_health() {
    let answer = ask_it(Check::Exec { command: vec!["true".to_owned()] }).await;
    assert_eq!(answer, Answer::Unknown("docker does not answer".to_owned()));
}

#[test]
fn a_refusal_of_the_engine_that_may_pass_says_nothing_of_health() {
    let refused = |transient| RuntimeError::Refused {
        verb: "run a command in",
        object: "c1".to_owned(),
        detail: "no space left on device".to_owned(),
        transient,
    };
    let words = "could not run a command in c1: no space left on device".to_owned();
    assert_eq!(not_run(&refused(true)), Answer::Unknown(words.clone()));
    assert_eq!(not_run(&refused(false)), Answer::Bad(words));
}

#[tokio::test]
async fn sip_asks_again_until_a_final_answer_comes() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        // The first one is lost.
        server.recv_from(&mut buffer).await.unwrap();
        let (length, from) = server.recv_from(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let repeated: String = text
            .lines()
            .filter(|line| ["Via", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(name)))
            .map(|line| format!("{line}\r\n"))
            .collect();
        for status in ["100 Trying", "200 OK"] {
            let answer = format!("SIP/2.0 {status}\r\n{repeated}\r\n");
            server.send_to(answer.as_bytes(), from).await.unwrap();
        }
    });
    assert_eq!(ask_it(Check::SipOptions { port }).await, good("answers OPTIONS with 200"));
}

/// Returns the address of this host in its network.
async fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    // Nothing is sent: the kernel only chooses the way to an address of no host (RFC 5737).
    socket.connect("192.0.2.1:9").await.expect("this host has a network");
    socket.local_addr().unwrap().ip()
}

#[tokio::test]
async fn a_program_that_is_bound_to_one_address_is_asked_there() {
    let own = own_address().await.to_string();
    let port = server_at(&own, "HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(ask_it(http(port)).await, good("HTTP status 200"));
    let port = server_at(&own, "HTTP/1.1 500\r\n\r\n").await;
    let failed = format!("HTTP status 500 (asked {own}:{port})");
    assert_eq!(ask_it(http(port)).await, bad(&failed));
    let udp = UdpSocket::bind((own.as_str(), 0)).await.unwrap();
    let port = udp.local_addr().unwrap().port();
    let silent = format!("no answer within 1000 ms (asked {own}:{port})");
    assert_eq!(ask_it(Check::SipOptions { port }).await, bad(&silent));
}

#[tokio::test]
async fn a_program_at_a_further_loopback_address_is_asked_only_where_its_document_says_so() {
    let port = server_at("127.0.0.53", "HTTP/1.1 200 OK\r\n\r\n").await;
    let refused = format!("connection refused (asked 127.0.0.1:{port})");
    assert_eq!(ask_it(http(port)).await, bad(&refused));
    assert_eq!(ask_at_address(http(port), Some("127.0.0.53")).await, good("HTTP status 200"));
}

#[tokio::test]
async fn a_program_is_asked_at_the_address_that_its_document_says() {
    let port = server_at("127.0.0.5", "+PONG\r\n").await;
    let there = ask_at_address(Check::Redis { port }, Some("127.0.0.5")).await;
    assert_eq!(there, good("answers PING"));
    let elsewhere = ask_at_address(Check::Redis { port }, Some("127.0.0.7")).await;
    assert_eq!(elsewhere, bad(&format!("connection refused (asked 127.0.0.7:{port})")));
    let named = ask_at_address(Check::Redis { port }, Some("localhost")).await;
    let Answer::Bad(why) = named else { panic!("{named:?}") };
    assert!(why.starts_with("connection refused (asked localhost at "), "{why}");
    let unknown = ask_at_address(Check::Redis { port }, Some("no.such.host.invalid")).await;
    let Answer::Bad(why) = unknown else { panic!("{unknown:?}") };
    assert!(why.starts_with("cannot look up no.such.host.invalid: "), "{why}");
}

#[tokio::test]
async fn another_host_does_not_answer_for_the_program_whose_address_moved_there() {
    for check in [Check::Tcp { port: 80 }, Check::SipOptions { port: 5060 }] {
        let answer = ask_at_address(check.clone(), Some("192.0.2.1")).await;
        let Answer::Bad(why) = answer else { panic!("{answer:?}") };
        assert!(why.starts_with("192.0.2.1 is not an address of this host (asked "), "{why}");
    }
}

/// Answers every connection at 127.0.0.1 well, at the port that is returned.
async fn good_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve_always(listener, b"HTTP/1.1 200 OK\r\n\r\n"));
    port
}

fn http_probe(port: u16) -> Probe {
    let (interval_ms, timeout_ms, failures_max) = (1_000, 1_000, 3);
    Probe { check: http(port), address: None, interval_ms, timeout_ms, failures_max }
}

/// Answers every connection.
async fn serve_always(listener: TcpListener, answer: &'static [u8]) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut question = [0; 1024];
        let _read = stream.read(&mut question).await;
        let _gone = stream.write_all(answer).await;
    }
}

#[tokio::test]
async fn a_probe_whose_port_changed_is_asked_at_its_own_port() {
    let engine = Docker::new(Paths::below(Path::new("/nonexistent")), Vec::new(), None);
    let random = Random::system();
    let target = ProbeTarget { calls: engine.calls(), container: "none", random: &random };
    let probe = http_probe(good_server().await);
    let prober = LocalProber::new("/proc".into());
    assert_eq!(prober.ask(&probe, target).await, good("HTTP status 200"));
    let (_closed, port) = closed_port();
    let changed = http_probe(port);
    let answer = prober.ask(&changed, target).await;
    assert!(matches!(answer, Answer::Bad(_)), "the old port answered: {answer:?}");
}

#[tokio::test]
async fn a_stranger_at_localhost_does_not_answer_for_a_program_at_another_address() {
    let engine = Docker::new(Paths::below(Path::new("/nonexistent")), Vec::new(), None);
    let random = Random::system();
    let target = ProbeTarget { calls: engine.calls(), container: "none", random: &random };
    let port = good_server().await;
    let probe = http_probe(port);
    let prober = LocalProber::new("/proc".into());
    let others = prober.note_start(&probe).await;
    let nobody = prober.ask(&probe, target).await;
    assert_eq!(nobody, bad(&format!("only another program listens at port {port}/tcp")));
    let own = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, port)).await.unwrap();
    tokio::spawn(serve_always(own, b"HTTP/1.1 500 Oh\r\n\r\n"));
    let next = LocalProber::new("/proc".into());
    next.remember(others);
    for prober in [&prober, &prober, &next] {
        let Answer::Bad(text) = prober.ask(&probe, target).await else {
            panic!("the stranger answered")
        };
        assert!(text.contains("500") && text.contains("[::1]"), "{text}");
    }
}
