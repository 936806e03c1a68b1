//! Real handshakes over loopback: who is let in, and who holds up whom.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use oml_common::time::Timestamp;
use oml_daemon::env::{Clock, Env, Random};
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{
    Credentials, Fingerprint, Identity, Peer, certificate, client_config, enrollment_config,
    private_key, provider,
};
use oml_proto::v1;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Acceptor, ConnectionInfo, Limits};
use crate::pki::{Authority, OwnCertificate, Revoked, Terms};

const HOUR_MS: u64 = 3_600_000;

fn now() -> Timestamp {
    Env::system().now()
}

fn terms() -> Terms {
    Terms { now: now(), lifetime_ms: HOUR_MS, epoch: 1, after: None }
}

fn node() -> Identity {
    Identity::Node { tenant: "acme".parse().unwrap(), node: "app1".parse().unwrap() }
}

fn authority() -> Authority {
    let dir = tempfile::tempdir().unwrap();
    Authority::create(dir.path(), "test", now(), &Random::system()).unwrap()
}

fn credentials(ca: &Authority, own: OwnCertificate) -> Credentials {
    Credentials {
        ca_pem: ca.pem().to_owned(),
        certificate_pem: own.issued.certificate_pem,
        key_pem: own.key_pem,
    }
}

/// A server that says who it sees and then echoes until the connection ends.
struct Server {
    authority: Authority,
    revoked: Arc<Revoked>,
    config: Arc<ArcSwap<ServerConfig>>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Server {
    async fn start(limits: Limits) -> Self {
        Self::start_with(limits, authority(), |authority, own, revoked| {
            super::main_config(authority, own, revoked, &Clock::system()).unwrap()
        })
        .await
    }

    async fn start_with(
        limits: Limits,
        authority: Authority,
        config: impl FnOnce(&Authority, &OwnCertificate, Arc<Revoked>) -> ServerConfig,
    ) -> Self {
        let own = authority.issue_with_key(&Identity::Controller, terms()).unwrap();
        let revoked = Arc::new(Revoked::default());
        let config = config(&authority, &own, Arc::clone(&revoked));
        let config = Arc::new(ArcSwap::from_pointee(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, mut connections) = Acceptor::new(listener, Arc::clone(&config), limits);
        let echo = tokio::spawn(async move {
            while let Some(connection) = connections.recv().await {
                tokio::spawn(serve(connection));
            }
        });
        let tasks = vec![tokio::spawn(acceptor.run()), echo];
        Self { authority, revoked, config, address, tasks }
    }

    fn client(&self, identity: &Identity) -> ClientConfig {
        let own = self.authority.issue_with_key(identity, terms()).unwrap();
        client_config(&credentials(&self.authority, own), &Clock::system()).unwrap()
    }

    /// Who the server says the client is.
    async fn greet(&self, client: ClientConfig) -> Result<String, std::io::Error> {
        greet(self.address, &TlsConnector::from(Arc::new(client))).await.map(|(seen, _)| seen)
    }
}

async fn serve(mut connection: super::Connection) {
    use tonic::transport::server::Connected as _;
    let ConnectionInfo { peer, .. } = connection.connect_info();
    let seen = peer.map_or("nobody".into(), |peer| peer.identity.to_string());
    // The client may be gone already.
    let _client_gone = connection.write_all(format!("{seen}\n").as_bytes()).await;
    let (mut read, mut write) = tokio::io::split(connection);
    let _client_gone = tokio::io::copy(&mut read, &mut write).await;
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn greet(
    address: SocketAddr,
    connector: &TlsConnector,
) -> Result<(String, Stream), std::io::Error> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("controller").unwrap();
    let mut stream = connector.connect(name, tcp).await?;
    let mut seen = String::new();
    while !seen.ends_with('\n') {
        seen.push(char::from(stream.read_u8().await?));
    }
    Ok((seen.trim().to_owned(), stream))
}

fn refusal(outcome: Result<String, std::io::Error>) -> String {
    let error = outcome.unwrap_err();
    error.get_ref().map_or(error.to_string(), ToString::to_string)
}

#[tokio::test]
async fn a_certificate_of_this_authority_gives_its_identity() {
    let server = Server::start(Limits::default()).await;
    assert_eq!(server.greet(server.client(&node())).await.unwrap(), "oml://node/acme/app1");
    let operator = Identity::Operator("maria".parse().unwrap());
    assert_eq!(server.greet(server.client(&operator)).await.unwrap(), "oml://operator/maria");
}

#[tokio::test]
async fn no_certificate_is_no_service() {
    let server = Server::start(Limits::default()).await;
    let client = enrollment_config(server.authority.fingerprint(), &Clock::system());
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("CertificateRequired"), "{refused}");
}

/// A client that shows `certificate_pem`, signed by any authority.
fn client_showing(server: &Server, certificate_pem: &str, key_pem: &str) -> ClientConfig {
    client_config(
        &Credentials {
            ca_pem: server.authority.pem().to_owned(),
            certificate_pem: certificate_pem.to_owned(),
            key_pem: key_pem.to_owned(),
        },
        &Clock::system(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let server = Server::start(Limits::default()).await;
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let uri = node().to_string().try_into().unwrap();
    params.subject_alt_names = vec![rcgen::SanType::URI(uri)];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let made = params.self_signed(&key).unwrap();
    let client = client_showing(&server, &made.pem(), &key.serialize_pem());
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("UnknownCA"), "{refused}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_even_under_the_same_name() {
    let server = Server::start(Limits::default()).await;
    let other = authority().issue_with_key(&node(), terms()).unwrap();
    let client = client_showing(&server, &other.issued.certificate_pem, &other.key_pem);
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("UnknownCA") || refused.contains("DecryptError"), "{refused}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let server = Server::start(Limits::default()).await;
    let past = Terms { now: Timestamp(now().0 - 2 * HOUR_MS), ..terms() };
    let own = server.authority.issue_with_key(&node(), past).unwrap();
    let client = client_config(&credentials(&server.authority, own), &Clock::system()).unwrap();
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("CertificateExpired"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_refused() {
    let server = Server::start(Limits::default()).await;
    let future = Terms { now: now().plus_ms(3 * HOUR_MS), ..terms() };
    let own = server.authority.issue_with_key(&node(), future).unwrap();
    let client = client_config(&credentials(&server.authority, own), &Clock::system()).unwrap();
    assert!(server.greet(client).await.is_err());
}

#[tokio::test]
async fn the_clock_of_the_environment_says_whether_a_certificate_is_valid() {
    let ahead = Clock::of("boot", || now().plus_ms(2 * HOUR_MS), || 0);
    let server = Server::start_with(Limits::default(), authority(), |authority, own, revoked| {
        super::main_config(authority, own, revoked, &ahead).unwrap()
    });
    let server = server.await;
    let refused = refusal(server.greet(server.client(&node())).await);
    assert!(refused.contains("CertificateExpired"), "{refused}");
}

#[tokio::test]
async fn a_certificate_for_serving_is_refused_to_a_client() {
    let server = Server::start(Limits::default()).await;
    let refused = refusal(server.greet(server.client(&Identity::Controller)).await);
    assert!(refused.contains("ertificate"), "{refused}");
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_a_newer_one_is_let_in() {
    let server = Server::start(Limits::default()).await;
    let own = server.authority.issue_with_key(&node(), terms()).unwrap();
    let serial = own.issued.record.serial;
    let client = client_config(&credentials(&server.authority, own), &Clock::system()).unwrap();
    assert!(server.greet(client.clone()).await.is_ok());
    server.revoked.revoke(node(), serial);
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    let after = Terms { after: Some(serial), ..terms() };
    let newer = server.authority.issue_with_key(&node(), after).unwrap();
    let client = client_config(&credentials(&server.authority, newer), &Clock::system()).unwrap();
    assert!(server.greet(client).await.is_ok());
}

#[tokio::test]
async fn no_session_is_resumed_past_the_verification() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client(&node());
    client.resumption = Resumption::in_memory_sessions(8);
    let connector = TlsConnector::from(Arc::new(client));
    for _ in 0..3 {
        let (_, stream) = greet(server.address, &connector).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn older_versions_of_tls_are_refused() {
    let server = Server::start(Limits::default()).await;
    let own = server.authority.issue_with_key(&node(), terms()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.authority.certificate().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate(&own.issued.certificate_pem, "test").unwrap()],
            private_key(&own.key_pem).unwrap(),
        )
        .unwrap();
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("ProtocolVersion"), "{refused}");
}

async fn enrollment_server() -> Server {
    let config = |authority: &Authority, own: &OwnCertificate, _| {
        super::enrollment_config(authority, own, &Clock::system()).unwrap()
    };
    Server::start_with(Limits::default(), authority(), config).await
}

#[tokio::test]
async fn a_new_host_knows_its_controller_by_the_fingerprint_in_its_token() {
    let server = enrollment_server().await;
    let client = enrollment_config(server.authority.fingerprint(), &Clock::system());
    assert_eq!(server.greet(client).await.unwrap(), "nobody");
    let client = enrollment_config(Fingerprint::of(b"another authority"), &Clock::system());
    let refused = refusal(server.greet(client).await);
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_no_controller_of_this_authority_is_refused() {
    let config = |authority: &Authority, _: &OwnCertificate, _: Arc<Revoked>| {
        let nodes = authority.issue_with_key(&node(), terms()).unwrap();
        super::enrollment_config(authority, &nodes, &Clock::system()).unwrap()
    };
    let server = Server::start_with(Limits::default(), authority(), config).await;
    let refused = refusal(server.greet(server.client(&node())).await);
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    let other = Server::start(Limits::default()).await;
    let client = other.client(&node());
    let real = enrollment_server().await;
    let refused = refusal(real.greet(client).await);
    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn silent_peers_block_nobody_and_are_dropped_in_time() {
    let limits = Limits { handshake_timeout: Duration::from_millis(300), ..Limits::default() };
    let server = Server::start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(server.greet(server.client(&node())).await.is_ok());
    for mut peer in silent {
        let closed = tokio::time::timeout(Duration::from_secs(10), peer.read(&mut [0; 8])).await;
        // Closed in order or by reset, but closed.
        assert!(matches!(closed, Ok(Ok(0) | Err(_))));
    }
}

/// Opens connections that say nothing.
async fn open_silent(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    silent
}

#[tokio::test]
async fn peers_that_say_nothing_give_way_to_those_that_speak() {
    let limits = Limits {
        handshakes_max: 8,
        handshake_timeout: Duration::from_secs(60),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut silent = open_silent(server.address, 30).await;
    assert!(server.greet(server.client(&node())).await.is_ok());
    let mut oldest = silent.remove(0);
    let closed = tokio::time::timeout(Duration::from_secs(10), oldest.read(&mut [0; 8])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))));
}

#[tokio::test]
async fn an_address_opens_a_bounded_number_of_connections_a_second() {
    let limits = Limits {
        new_per_second_max: 3,
        handshake_timeout: Duration::from_secs(60),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut silent = open_silent(server.address, 50).await;
    let closed = silent.iter_mut().map(|peer| Box::pin(peer.read_u8()));
    let any = futures_util::future::select_all(closed);
    let any = tokio::time::timeout(Duration::from_secs(10), any).await;
    assert!(any.is_ok(), "none of 50 was closed, long before the time of a handshake is over");
    let soon = async {
        while server.greet(server.client(&node())).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), soon).await.unwrap();
}

#[tokio::test]
async fn nodes_leave_places_for_operators() {
    let limits = Limits { connections_max: 3, operator_connections: 1, ..Limits::default() };
    let server = Server::start(limits).await;
    let connector = TlsConnector::from(Arc::new(server.client(&node())));
    let _first = greet(server.address, &connector).await.unwrap();
    let _second = greet(server.address, &connector).await.unwrap();
    assert!(greet(server.address, &connector).await.is_err());
    let operator = server.client(&Identity::Operator("maria".parse().unwrap()));
    let operator = TlsConnector::from(Arc::new(operator));
    let _third = greet(server.address, &operator).await.unwrap();
    assert!(greet(server.address, &operator).await.is_err());
}

#[tokio::test]
async fn a_new_configuration_is_used_by_new_connections_and_old_ones_live_on() {
    let server = Server::start(Limits::default()).await;
    let connector = TlsConnector::from(Arc::new(server.client(&node())));
    let (_, mut old) = greet(server.address, &connector).await.unwrap();
    let before = shown(&old);
    let own = server.authority.issue_with_key(&Identity::Controller, terms()).unwrap();
    let config =
        super::main_config(&server.authority, &own, Arc::clone(&server.revoked), &Clock::system());
    server.config.store(Arc::new(config.unwrap()));
    let (_, new) = greet(server.address, &connector).await.unwrap();
    assert_ne!(shown(&new).serial, before.serial);
    old.write_all(b"still here").await.unwrap();
    let mut echo = [0; 10];
    old.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"still here");
}

fn shown(stream: &Stream) -> Peer {
    Peer::from_certificate(&stream.get_ref().1.peer_certificates().unwrap()[0]).unwrap()
}

#[tokio::test]
async fn the_number_of_connections_is_bounded_and_a_closed_one_makes_room() {
    let server =
        Server::start(Limits { connections_max: 2, operator_connections: 0, ..Limits::default() })
            .await;
    let connector = TlsConnector::from(Arc::new(server.client(&node())));
    let first = greet(server.address, &connector).await.unwrap();
    let _second = greet(server.address, &connector).await.unwrap();
    assert!(greet(server.address, &connector).await.is_err());
    drop(first);
    let soon = async {
        while greet(server.address, &connector).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), soon).await.unwrap();
}

#[tokio::test]
async fn no_peer_takes_the_places_of_others() {
    let limits = Limits {
        connections_per_node_max: 2,
        connections_per_operator_max: 3,
        connections_per_address_max: 1,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let operator = Identity::Operator("maria".parse().unwrap());
    for (identity, max) in [(node(), 2), (operator, 3)] {
        let connector = TlsConnector::from(Arc::new(server.client(&identity)));
        let mut held = Vec::new();
        for _ in 0..max {
            held.push(greet(server.address, &connector).await.unwrap());
        }
        assert!(greet(server.address, &connector).await.is_err(), "{identity}");
        held.pop();
        let soon = async {
            while greet(server.address, &connector).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), soon).await.unwrap();
    }
}

#[tokio::test]
async fn hosts_without_a_certificate_are_counted_by_their_address() {
    let limits = Limits { connections_per_address_max: 1, ..Limits::default() };
    let config = |authority: &Authority, own: &OwnCertificate, _| {
        super::enrollment_config(authority, own, &Clock::system()).unwrap()
    };
    let server = Server::start_with(limits, authority(), config).await;
    let client = enrollment_config(server.authority.fingerprint(), &Clock::system());
    let connector = TlsConnector::from(Arc::new(client));
    let _held = greet(server.address, &connector).await.unwrap();
    assert!(greet(server.address, &connector).await.is_err());
}

/// The smallest service of ours; answers with the caller's own name.
struct WhoCalls;

#[tonic::async_trait]
impl v1::enrollment_server::Enrollment for WhoCalls {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        let info = request.extensions().get::<ConnectionInfo>().unwrap();
        let tenant = info.peer.as_ref().unwrap().identity.to_string();
        Ok(Response::new(v1::Certificate { tenant, ..Default::default() }))
    }

    async fn recover(
        &self,
        _request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

async fn who_calls(address: &str, client: ClientConfig) -> Result<String, String> {
    let channel = oml_daemon::tls::connect(address, Arc::new(client), &Proxies::default()).await;
    let channel = channel.map_err(|error| error.to_string())?;
    let mut client = v1::enrollment_client::EnrollmentClient::new(channel);
    let answer = client.enroll(v1::EnrollRequest::default()).await;
    answer.map(|answer| answer.into_inner().tenant).map_err(|status| status.to_string())
}

#[tokio::test]
async fn a_grpc_handler_sees_whose_call_it_is() {
    let authority = authority();
    let own = authority.issue_with_key(&Identity::Controller, terms()).unwrap();
    let config = super::main_config(&authority, &own, Arc::default(), &Clock::system()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = Arc::new(ArcSwap::from_pointee(config));
    let (acceptor, connections) = Acceptor::new(listener, config, Limits::default());
    let accepting = tokio::spawn(acceptor.run());
    let incoming = ReceiverStream::new(connections).map(Ok::<_, Infallible>);
    let service = v1::enrollment_server::EnrollmentServer::new(WhoCalls);
    let router = tonic::transport::Server::builder().add_service(service);
    let serving = tokio::spawn(router.serve_with_incoming(incoming));

    let nodes = authority.issue_with_key(&node(), terms()).unwrap();
    let client = client_config(&credentials(&authority, nodes), &Clock::system()).unwrap();
    assert_eq!(who_calls(&address, client).await.unwrap(), "oml://node/acme/app1");
    let uninvited = enrollment_config(authority.fingerprint(), &Clock::system());
    assert!(who_calls(&address, uninvited).await.is_err());

    serving.abort();
    assert!(serving.await.is_err());
    let ended = tokio::time::timeout(Duration::from_secs(10), accepting).await;
    assert!(ended.is_ok(), "the loop ends with the server");
}
