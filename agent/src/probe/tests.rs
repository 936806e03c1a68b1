#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::paths::Paths;
use crate::runtime::ContainerEngine as _;
use crate::runtime::docker::Docker;

/// Answers the first connection with `answer` once it has sent something.
async fn server(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
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

async fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

async fn ask_it(check: Check) -> Answer {
    let engine = Docker::new(Paths::below(Path::new("/nonexistent")), Vec::new(), None);
    ask(
        &check,
        1_000,
        ProbeTarget { calls: engine.calls(), container: "none", random: &Random::system() },
    )
    .await
}

fn http(port: u16) -> Check {
    Check::Http { port, path: "/".to_owned(), tls: false }
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
        assert_eq!(ask_it(http(server(answer).await)).await, expected);
    }
}

#[tokio::test]
async fn words_of_a_program_are_shown_without_what_a_terminal_acts_on() {
    let port = server("-ERR \u{1b}[2J\u{202e}\r\n").await;
    let engine = Docker::new(Paths::below(Path::new("/nonexistent")), Vec::new(), None);
    let random = Random::system();
    let target = ProbeTarget { calls: engine.calls(), container: "none", random: &random };
    let answer = LocalProber.ask(&Check::Redis { port }, 1_000, target).await;
    let Answer::Bad(text) = &answer else { panic!("{answer:?}") };
    assert!(text.contains("\\u{1b}[2J\\u{202e}"), "{text}");
}

#[tokio::test]
async fn nobody_listening_and_nobody_answering_are_distinguished() {
    assert_eq!(ask_it(http(closed_port().await)).await, bad("connection refused"));
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(ask_it(http(port)).await, bad("no answer within 1000 ms"));
    assert_eq!(ask_it(Check::Tcp { port }).await, good("accepts connections"));
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
        assert_eq!(ask_it(Check::Redis { port }).await, expected);
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
        assert_eq!(ask_it(Check::Postgres { port, user }).await, expected);
    }
}

#[tokio::test]
async fn a_command_in_a_container_of_an_absent_engine_says_nothing_of_health() {
    let answer = ask_it(Check::Exec { command: vec!["true".to_owned()] }).await;
    assert_eq!(answer, Answer::Unknown("docker does not answer".to_owned()));
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
