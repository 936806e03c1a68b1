//! A small registry over loopback that can misbehave.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::*;

const MANIFEST: &str = r#"{"schemaVersion":2}"#;
const LOGIN: &str = "Basic bGFiOnBhc3M="; // lab:pass

/// How the registry behaves.
#[derive(Debug, Clone, Default)]
struct Manner {
    /// The challenge to whoever does not send `accepts`.
    challenge: Option<String>,
    accepts: &'static str,
    /// What the token server sends to whoever shows [`LOGIN`].
    token: &'static str,
    digest: Option<&'static str>,
    fails: Option<u16>,
}

struct Registry {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

type Shared = (Manner, Arc<Mutex<Vec<String>>>);

impl Registry {
    async fn start(manner: impl FnOnce(SocketAddr) -> Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = (manner(address), Arc::clone(&seen));
        let app = Router::new().fallback(handle).with_state(shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, _tasks: tasks }
    }

    async fn resolve(&self, login: bool, version: &str) -> Result<Digest, RegistryError> {
        resolve(self.address, login, version).await
    }
}

async fn resolve(address: SocketAddr, login: bool, version: &str) -> Result<Digest, RegistryError> {
    let login = login.then(|| Login { user: "lab".to_owned(), password: "pass".to_owned() });
    let access = RegistryAccess { plain_http: true, login };
    let registries = Registries::new(HashMap::from([(address.to_string(), access)]));
    let repository = format!("{address}/oml/asterisk").parse().unwrap();
    registries.resolve(&repository, &version.parse().unwrap()).await
}

async fn handle(State((manner, seen)): State<Shared>, request: Request) -> Response {
    let shown = request.headers().get(AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned());
    let shown = shown.unwrap_or_default();
    seen.lock().await.push(format!("{} {}", request.method(), request.uri()));
    let answer = |status: u16, body: &'static str| {
        Response::builder().status(status).body(Body::from(body)).unwrap()
    };
    if let Some(status) = manner.fails {
        return answer(status, "{}");
    }
    let path = request.uri().path();
    if path == "/token" {
        return if shown == LOGIN { answer(200, manner.token) } else { answer(401, "") };
    }
    if let Some(challenge) = manner.challenge.filter(|_| shown != manner.accepts) {
        let refused = Response::builder().status(401).header("WWW-Authenticate", challenge);
        return refused.body(Body::empty()).unwrap();
    }
    if path != "/v2/oml/asterisk/manifests/230204.01" {
        return answer(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
    }
    let ok = Response::builder().status(StatusCode::OK);
    let ok = manner.digest.into_iter().fold(ok, |ok, d| ok.header("Docker-Content-Digest", d));
    let is_head = request.method() == Method::HEAD;
    ok.body(if is_head { Body::empty() } else { Body::from(MANIFEST) }).unwrap()
}

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_tag_is_resolved_by_one_question() {
    let registry = Registry::start(|_| Manner { digest: Some(DIGEST), ..Manner::default() }).await;
    assert_eq!(registry.resolve(false, "230204.01").await.unwrap().as_str(), DIGEST);
    assert_eq!(*registry.seen.lock().await, ["HEAD /v2/oml/asterisk/manifests/230204.01"]);
}

#[tokio::test]
async fn without_a_digest_in_the_answer_the_manifest_itself_is_hashed() {
    let registry = Registry::start(|_| Manner::default()).await;
    let digest = registry.resolve(false, "230204.01").await.unwrap();
    let expected = format!("sha256:{}", ContentHash::of(MANIFEST.as_bytes()));
    assert_eq!(digest.as_str(), expected);
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_the_operators_mistake() {
    let registry = Registry::start(|_| Manner::default()).await;
    let error = registry.resolve(false, "9.9").await.unwrap_err();
    assert!(!error.is_transient());
    assert_eq!(error.to_string(), format!("{} has no oml/asterisk:9.9", registry.address));
}

fn basic(_: SocketAddr) -> Manner {
    let challenge = Some(r#"Basic realm="lab""#.to_owned());
    Manner { challenge, accepts: LOGIN, digest: Some(DIGEST), ..Manner::default() }
}

#[tokio::test]
async fn a_registry_with_a_login_gets_the_configured_one() {
    let registry = Registry::start(basic).await;
    assert_eq!(registry.resolve(true, "230204.01").await.unwrap().as_str(), DIGEST);
}

#[tokio::test]
async fn a_missing_or_wrong_login_is_named_and_the_password_is_not() {
    let registry = Registry::start(basic).await;
    let error = registry.resolve(false, "230204.01").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert!(error.to_string().contains("none is configured"), "{error}");
    let registry = Registry::start(|address| Manner { accepts: "other", ..basic(address) }).await;
    let error = registry.resolve(true, "230204.01").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert!(!error.to_string().contains("pass") && !error.is_transient());
}

fn bearer(address: SocketAddr, token: &'static str) -> Manner {
    let challenge = format!(
        r#"Bearer realm="http://{address}/token",service="a, b",scope="repository:x:pull""#
    );
    Manner {
        challenge: Some(challenge),
        accepts: "Bearer abc",
        token,
        digest: Some(DIGEST),
        fails: None,
    }
}

#[tokio::test]
async fn a_registry_with_tokens_is_asked_with_one_for_this_image_only() {
    for token in [r#"{"token":"abc"}"#, r#"{"access_token":"abc","token":"abc","expires_in":1}"#] {
        let registry = Registry::start(|address| bearer(address, token)).await;
        assert_eq!(registry.resolve(true, "230204.01").await.unwrap().as_str(), DIGEST);
        let seen = registry.seen.lock().await;
        let asked = "GET /token?scope=repository%3Aoml%2Fasterisk%3Apull&service=a%2C%20b";
        assert_eq!(seen[1], asked);
    }
    let registry = Registry::start(|address| bearer(address, "")).await;
    let error = registry.resolve(false, "230204.01").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_realm_that_is_a_question_already_is_asked_on() {
    let asking = |address| {
        let plain = bearer(address, r#"{"token":"abc"}"#);
        let challenge = plain.challenge.map(|c| c.replace("/token", "/token?account=oml"));
        Manner { challenge, ..plain }
    };
    let registry = Registry::start(asking).await;
    assert_eq!(registry.resolve(true, "230204.01").await.unwrap().as_str(), DIGEST);
    let asked = "GET /token?account=oml&scope=repository%3Aoml%2Fasterisk%3Apull";
    assert!(registry.seen.lock().await[1].starts_with(asked));
}

#[tokio::test]
async fn a_token_that_is_none_is_no_panic() {
    for token in ["", "[]", "{}", r#"{"token":"a\nb"}"#, r#"{"token":7}"#] {
        let registry = Registry::start(|address| bearer(address, token)).await;
        let error = registry.resolve(true, "230204.01").await.unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable { .. }), "{token}: {error}");
    }
}

#[tokio::test]
async fn challenges_that_nobody_can_answer_are_refusals() {
    for challenge in ["", "Digest realm=x", "\"", "Bearer", "Bearer realm=\"not a url\""] {
        let registry = Registry::start(|address| Manner {
            challenge: Some(challenge.to_owned()),
            ..basic(address)
        })
        .await;
        assert!(registry.resolve(true, "230204.01").await.is_err(), "{challenge}");
    }
}

#[tokio::test]
async fn a_registry_in_trouble_is_unavailable_and_says_with_what() {
    for status in [429, 500, 503, 302, 206] {
        let registry =
            Registry::start(|_| Manner { fails: Some(status), ..Manner::default() }).await;
        let error = registry.resolve(false, "230204.01").await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    let wrong = Some("sha512:abc");
    let registry = Registry::start(|_| Manner { digest: wrong, ..Manner::default() }).await;
    assert!(registry.resolve(false, "230204.01").await.unwrap_err().is_transient());
}

/// A server that reads a request and answers with `bytes`, then closes.
async fn raw(bytes: &'static [u8]) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _read = stream.read(&mut [0; 4096]).await;
            let _client_gone = stream.write_all(bytes).await;
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn garbage_and_answers_cut_short_are_unavailable() {
    for bytes in [
        &b""[..],
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 999999 OK\r\n\r\n",
    ] {
        let (address, _server) = raw(bytes).await;
        let error = resolve(address, false, "230204.01").await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_registry_that_is_away_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = resolve(address, false, "230204.01").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = resolve(address, false, "230204.01").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("within 10 s"), "{error}");
}

#[test]
fn an_address_is_told_from_a_name_as_docker_does() {
    let parts = |text: &str| {
        let repository: Repository = text.parse().unwrap();
        let (registry, name) = split(&repository);
        (registry.to_owned(), name)
    };
    let hub = DOCKER_HUB.to_owned();
    assert_eq!(parts("nginx"), (hub.clone(), "library/nginx".into()));
    assert_eq!(parts("omnileads/asterisk"), (hub, "omnileads/asterisk".into()));
    assert_eq!(parts("10.0.0.1:5000/a/b"), ("10.0.0.1:5000".into(), "a/b".into()));
    assert_eq!(parts("localhost/a"), ("localhost".into(), "a".into()));
    assert_eq!(parts("ghcr.io/a/b"), ("ghcr.io".into(), "a/b".into()));
}
