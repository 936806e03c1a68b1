//! Tests with a small registry on loopback that can misbehave.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use oml_daemon::env::Simulated;
use oml_daemon::tls::provider;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{RootCertStore, ServerConfig};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::http::connector;
use super::*;

mod challenges;
mod facts;
mod reach;
mod redirects;

const MANIFEST: &str = r#"{"schemaVersion":2}"#;
const LOGIN: &str = "Basic bGFiOnBhc3M="; // lab:pass

/// The behaviour of the registry.
#[derive(Debug, Clone, Default)]
struct Behaviour {
    /// The challenge to a client that does not send `accepts`; every line is a header.
    challenge: Option<String>,
    accepts: &'static str,
    /// The response of the token server to a client that sends [`LOGIN`].
    token: &'static str,
    digest: Option<&'static str>,
    /// The path of its only manifest, if it is not that of the tag.
    has: Option<String>,
    fails: Option<u16>,
    /// The status and address with which a request for a manifest is redirected.
    redirects: Option<(u16, String)>,
}

struct Registry {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    /// The logins that it was shown, empty for a request without one.
    logins: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

type Shared = (Behaviour, Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<String>>>);

impl Registry {
    async fn start(behaviour: impl FnOnce(SocketAddr) -> Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let logins = Arc::new(Mutex::new(Vec::new()));
        let shared = (behaviour(address), Arc::clone(&seen), Arc::clone(&logins));
        let app = Router::new().fallback(handle).with_state(shared);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, logins, _tasks: tasks }
    }

    async fn resolve(&self, login: bool, version: &str) -> Result<Digest, RegistryError> {
        resolve(self.address, login, version).await
    }
}

impl Registries {
    /// Asks without a login of a tenant.
    async fn resolve(
        &self,
        repository: &Repository,
        version: &ImageVersion,
    ) -> Result<ResolvedImage, RegistryError> {
        self.resolve_as(&TenantLogins::new(), repository, version).await
    }
}

async fn resolve(address: SocketAddr, login: bool, version: &str) -> Result<Digest, RegistryError> {
    let login = login.then(|| RegistryCredentials {
        user: "lab".to_owned(),
        password: "pass".to_owned().into(),
    });
    let access = RegistryAccess { plain_http: true, login, ..RegistryAccess::default() };
    let access = HashMap::from([(address.to_string(), access)]);
    let registries = Registries::new(Reach { access, ..Reach::default() }, Clock::system());
    let repository = format!("{address}/oml/asterisk").parse().unwrap();
    let resolved = registries.resolve(&repository, &version.parse().unwrap()).await;
    resolved.map(|resolved| resolved.digest)
}

/// Asks as a tenant with a login of its own, where the settings have that one.
async fn resolve_of_tenant(
    address: SocketAddr,
    user: &str,
    of_settings: Option<RegistryCredentials>,
) -> Result<ResolvedImage, RegistryError> {
    let access =
        RegistryAccess { plain_http: true, login: of_settings, ..RegistryAccess::default() };
    let access = HashMap::from([(address.to_string(), access)]);
    let registries = Registries::new(Reach { access, ..Reach::default() }, Clock::system());
    let repository = format!("{address}/oml/asterisk").parse().unwrap();
    let login = RegistryCredentials { user: user.to_owned(), password: "pass".to_owned().into() };
    let logins = TenantLogins::from([(address.to_string(), login)]);
    registries.resolve_as(&logins, &repository, &"230204.01".parse().unwrap()).await
}

async fn handle(State((behaviour, seen, logins)): State<Shared>, request: Request) -> Response {
    let shown = request.headers().get(AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned());
    let shown = shown.unwrap_or_default();
    seen.lock().await.push(format!("{} {}", request.method(), request.uri()));
    logins.lock().await.push(shown.clone());
    let answer = |status: u16, body: &'static str| {
        Response::builder().status(status).body(Body::from(body)).unwrap()
    };
    if let Some(status) = behaviour.fails {
        return answer(status, "{}");
    }
    let path = request.uri().path();
    if path == "/token" {
        return if shown == LOGIN { answer(200, behaviour.token) } else { answer(401, "") };
    }
    if let Some(challenge) = behaviour.challenge.filter(|_| shown != behaviour.accepts) {
        let lines: Vec<&str> =
            if challenge.is_empty() { vec![""] } else { challenge.lines().collect() };
        let refused = Response::builder().status(401);
        let refused = lines.iter().fold(refused, |it, line| it.header("WWW-Authenticate", *line));
        return refused.body(Body::empty()).unwrap();
    }
    if let Some((status, target)) = behaviour.redirects {
        let moved = Response::builder().status(status).header("Location", target);
        return moved.body(Body::empty()).unwrap();
    }
    if path != behaviour.has.as_deref().unwrap_or("/v2/oml/asterisk/manifests/230204.01") {
        return answer(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
    }
    let ok = Response::builder().status(StatusCode::OK);
    let ok = behaviour.digest.into_iter().fold(ok, |ok, d| ok.header("Docker-Content-Digest", d));
    let is_head = request.method() == Method::HEAD;
    ok.body(if is_head { Body::empty() } else { Body::from(MANIFEST) }).unwrap()
}

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_tag_is_resolved_by_one_request() {
    let registry =
        Registry::start(|_| Behaviour { digest: Some(DIGEST), ..Behaviour::default() }).await;
    assert_eq!(registry.resolve(false, "230204.01").await.unwrap().as_str(), DIGEST);
    assert_eq!(*registry.seen.lock().await, ["HEAD /v2/oml/asterisk/manifests/230204.01"]);
}

#[tokio::test]
async fn without_a_digest_in_the_response_the_manifest_is_hashed() {
    let registry = Registry::start(|_| Behaviour::default()).await;
    let digest = registry.resolve(false, "230204.01").await.unwrap();
    let expected = format!("sha256:{}", ContentHash::of(MANIFEST.as_bytes()));
    assert_eq!(digest.as_str(), expected);
}

#[tokio::test]
async fn a_missing_tag_is_not_found_and_not_transient() {
    let registry = Registry::start(|_| Behaviour::default()).await;
    let error = registry.resolve(false, "9.9").await.unwrap_err();
    assert!(!error.is_transient());
    let expected = format!("the registry {} has no image oml/asterisk:9.9", registry.address);
    assert_eq!(error.to_string(), expected);
}

fn basic(_: SocketAddr) -> Behaviour {
    let challenge = Some(r#"Basic realm="lab""#.to_owned());
    Behaviour { challenge, accepts: LOGIN, digest: Some(DIGEST), ..Behaviour::default() }
}

#[tokio::test]
async fn a_registry_that_requires_a_login_gets_the_configured_one() {
    let registry = Registry::start(basic).await;
    assert_eq!(registry.resolve(true, "230204.01").await.unwrap().as_str(), DIGEST);
}

#[tokio::test]
async fn a_login_of_the_tenant_goes_before_the_configured_one() {
    let login = |user: &str| {
        let (user, password) = (user.to_owned(), "pass".to_owned());
        Some(RegistryCredentials { user, password: password.into() })
    };
    for of_settings in [None, login("other")] {
        let registry = Registry::start(basic).await;
        let found = resolve_of_tenant(registry.address, "lab", of_settings).await.unwrap();
        assert_eq!(found.digest.as_str(), DIGEST);
        let shown = registry.logins.lock().await;
        assert!(shown.iter().all(|it| it.is_empty() || it == LOGIN), "{shown:?}");
    }
    let registry = Registry::start(basic).await;
    let error = resolve_of_tenant(registry.address, "other", login("lab")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_or_wrong_login_is_named_and_the_password_is_not() {
    let registry = Registry::start(basic).await;
    let error = registry.resolve(false, "230204.01").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert!(error.to_string().contains("none is configured"), "{error}");
    let registry =
        Registry::start(|address| Behaviour { accepts: "other", ..basic(address) }).await;
    let error = registry.resolve(true, "230204.01").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    assert!(!error.to_string().contains("pass") && !error.is_transient());
}

fn bearer(address: SocketAddr, token: &'static str) -> Behaviour {
    let challenge = format!(
        r#"Bearer realm="http://{address}/token",service="a, b",scope="repository:x:pull""#
    );
    Behaviour {
        challenge: Some(challenge),
        accepts: "Bearer abc",
        token,
        digest: Some(DIGEST),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_registry_that_requires_a_token_gets_one_for_this_image_only() {
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
async fn the_scope_is_added_to_a_realm_that_has_a_query_already() {
    let asking = |address| {
        let plain = bearer(address, r#"{"token":"abc"}"#);
        let challenge = plain.challenge.map(|c| c.replace("/token", "/token?account=oml"));
        Behaviour { challenge, ..plain }
    };
    let registry = Registry::start(asking).await;
    assert_eq!(registry.resolve(true, "230204.01").await.unwrap().as_str(), DIGEST);
    let asked = "GET /token?account=oml&scope=repository%3Aoml%2Fasterisk%3Apull";
    assert!(registry.seen.lock().await[1].starts_with(asked));
}

#[tokio::test]
async fn an_invalid_token_response_makes_the_registry_unavailable() {
    for token in ["", "[]", "{}", r#"{"token":"a\nb"}"#, r#"{"token":7}"#] {
        let registry = Registry::start(|address| bearer(address, token)).await;
        let error = registry.resolve(true, "230204.01").await.unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable { .. }), "{token}: {error}");
    }
}

#[tokio::test]
async fn a_registry_with_an_error_status_is_unavailable_and_the_status_is_named() {
    for status in [408, 425, 429, 500, 503, 302, 304, 206] {
        let registry =
            Registry::start(|_| Behaviour { fails: Some(status), ..Behaviour::default() }).await;
        let error = registry.resolve(false, "230204.01").await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    let wrong = Some("sha512:abc");
    let registry = Registry::start(|_| Behaviour { digest: wrong, ..Behaviour::default() }).await;
    assert!(registry.resolve(false, "230204.01").await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_request_that_a_registry_will_refuse_again_is_not_transient() {
    for (status, words) in [
        (400, "refused the request: it responded with 400 Bad Request"),
        (405, "refused the request: it responded with 405 Method Not Allowed"),
        (406, "refused the request: it responded with 406 Not Acceptable"),
        (410, "has no image oml/asterisk:230204.01"),
    ] {
        let registry =
            Registry::start(|_| Behaviour { fails: Some(status), ..Behaviour::default() }).await;
        let error = registry.resolve(false, "230204.01").await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().ends_with(words), "{error}");
    }
}

/// Starts a server that reads a request, responds with `bytes`, and closes.
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
async fn garbage_and_truncated_responses_are_unavailable() {
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
async fn a_registry_that_refuses_connections_is_unavailable() {
    // It is bound and does not listen, so that nobody else does.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = closed.local_addr().unwrap();
    let error = resolve(address, false, "230204.01").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_respond_is_unavailable_after_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = resolve(address, false, "230204.01").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("within 10 s"), "{error}");
}

#[test]
fn docker_hub_answers_under_another_name_than_people_write() {
    for text in ["nginx", "docker.io/omnileads/asterisk", "index.docker.io/omnileads/asterisk"] {
        let repository: Repository = text.parse().unwrap();
        assert_eq!(address(&repository.registry()), "registry-1.docker.io", "{text}");
    }
    assert_eq!(address("10.0.0.1:5000"), "10.0.0.1:5000");
}

#[tokio::test(start_paused = true)]
async fn the_certificate_of_a_registry_is_judged_by_the_clock_of_the_environment() {
    let simulated = Simulated::new(1);
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(simulated.now().0) * 1_000_000);
    let now = now.unwrap();
    let day = Duration::from_secs(24 * 3_600);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["registry.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (now - day, now + day);
    let certificate = params.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let own_key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], own_key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    for (passed, is_valid) in [(Duration::ZERO, true), (3 * day, false)] {
        tokio::time::advance(passed).await;
        let connector = connector(roots.clone(), &[], &simulated.clock()).unwrap();
        let (near, far) = tokio::io::duplex(64 << 10);
        let name = ServerName::try_from("registry.example").unwrap();
        let (connected, _accepted) =
            tokio::join!(connector.connect(name, near), acceptor.accept(far));
        assert_eq!(connected.is_ok(), is_valid, "{:?}", connected.err());
    }
}
