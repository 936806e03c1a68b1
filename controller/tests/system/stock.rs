//! What clients need that know nothing of us: an ordinary TLS library and the standard
//! services of gRPC.

use std::io;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use oml_daemon::tls::{Identity, SERVER_NAME, certificate, private_key, provider};
use oml_proto::v1::StatusRequest;
use oml_proto::v1::fleet_client::FleetClient;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::once;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::hooked::HookedStore;
use crate::world::{StoreKind, World};

/// The versions that an ordinary library offers.
const ORDINARY: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

/// Returns a configuration that verifies host names, as every library does.
fn stock_config(world: &World, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let own = world.credentials(&Identity::Operator("maria".parse().unwrap()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&own.ca_pem, "test").unwrap()).unwrap();
    let chain = vec![certificate(&own.certificate_pem, "test").unwrap()];
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, private_key(&own.key_pem).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

async fn dial(world: &World, name: &str, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(world.running().listen).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

async fn stock_channel(world: &World) -> Channel {
    let stream = dial(world, "oml.example.org", stock_config(world, ORDINARY)).await.unwrap();
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_uri: Uri| {
        let stream = stream.take().ok_or(io::ErrorKind::NotConnected);
        async move { Ok::<_, io::Error>(stream?) }
    });
    let endpoint = Endpoint::from_static("http://oml.example.org");
    endpoint.connect_with_connector(connector).await.unwrap()
}

fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let (_rest, parsed) = X509Certificate::from_der(certificate).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    let name = |name: &GeneralName<'_>| {
        if let GeneralName::URI(text) | GeneralName::DNSName(text) = name {
            (*text).to_owned()
        } else {
            format!("{name:?}")
        }
    };
    names.value.general_names.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_tls_client_finds_the_names_of_the_controller_in_its_certificate() {
    let world = World::start(StoreKind::InMemory).await;
    for name in ["controller", "oml.example.org", "127.0.0.1"] {
        let stream = dial(&world, name, stock_config(&world, ORDINARY)).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap();
        assert_eq!(names(&shown[0])[0], "oml://controller", "{name}");
    }
    let elsewhere = dial(&world, "elsewhere.example.org", stock_config(&world, ORDINARY)).await;
    assert!(elsewhere.unwrap_err().to_string().contains("not valid for name"));
}

/// Programs of earlier releases accept a certificate with exactly one name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_programs_are_shown_a_certificate_that_names_the_controller_only() {
    let world = World::start(StoreKind::InMemory).await;
    let own = world.credentials(&Identity::Operator("maria".parse().unwrap()));
    let clock = oml_daemon::env::Clock::system();
    let config = oml_daemon::tls::client_config(&own, &clock).unwrap();
    let stream = dial(&world, SERVER_NAME, config).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    assert_eq!(names(&shown[0]), ["oml://controller"]);
    // This release accepts the other one too, so that a later one can do without the first.
    let config = oml_daemon::tls::client_config(&own, &clock).unwrap();
    let stream = dial(&world, "oml.example.org", config).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    let found = names(&shown[0]);
    let expected =
        ["oml://controller", "IPAddress([127, 0, 0, 1])", "controller", "oml.example.org"];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standard_health_service_answers_an_operator() {
    let mut world = World::start(StoreKind::InMemory).await;
    let channel = stock_channel(&world).await;
    FleetClient::new(channel.clone()).get_status(StatusRequest::default()).await.unwrap();
    let mut health = HealthClient::new(channel);
    let ask = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "oml.v1.Fleet", "oml.v1.Agent"] {
        let answer = health.check(ask(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = health.check(ask("oml.v1.Nothing")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let mut watched = health.watch(ask("")).await.unwrap().into_inner();
    let first = watched.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let stopped = tokio::spawn(async move { world.restart().await });
    let last = watched.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_the_health_service_reports_a_store_that_stops_and_comes_back() {
    let store = Arc::new(HookedStore::default());
    let world = World::over(Arc::clone(&store) as _).await;
    let mut health = HealthClient::new(stock_channel(&world).await);
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut next = async || watched.message().await.unwrap().unwrap().status();
    assert_eq!(next().await, ServingStatus::Serving);
    store.stop(true);
    assert_eq!(next().await, ServingStatus::NotServing);
    store.stop(false);
    assert_eq!(next().await, ServingStatus::Serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reflection_describes_the_services_to_an_operator() {
    let world = World::start(StoreKind::InMemory).await;
    let mut reflection = ServerReflectionClient::new(stock_channel(&world).await);
    let mut ask = async |question: MessageRequest| {
        let host = String::new();
        let request = ServerReflectionRequest { host, message_request: Some(question) };
        let mut answers = reflection.server_reflection_info(once(request)).await.unwrap();
        answers.get_mut().message().await.unwrap().unwrap().message_response.unwrap()
    };
    let listed = ask(MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(listed) = listed else { panic!("{listed:?}") };
    let mut services: Vec<&str> = listed.service.iter().map(|s| s.name.as_str()).collect();
    services.sort_unstable();
    // Those of this port: a host joins at another one.
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "oml.v1.Agent",
        "oml.v1.Fleet",
    ];
    assert_eq!(services, expected);
    let found = ask(MessageRequest::FileContainingSymbol("oml.v1.Fleet".to_owned())).await;
    assert!(matches!(found, MessageResponse::FileDescriptorResponse(_)), "{found:?}");
}
