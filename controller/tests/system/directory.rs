//! A small ACME directory (RFC 8555) that takes every account, and works on every order without an end.
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::Listener;
use oml_daemon::tls::provider;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::world::LIMIT;

/// How long it wants to be asked nothing about an order, in seconds.
const WAIT_S: &str = "3600";

/// What the directory does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// It refuses every order.
    Orders,
    /// It names an address that is none.
    Address,
}

/// A running directory on loopback.
pub(crate) struct Directory {
    pub(crate) url: String,
    /// Who signed its certificate.
    pub(crate) authority: CertificateDer<'static>,
    pub(crate) seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What it is, and what it was asked.
pub(crate) struct Seen {
    base: String,
    fault: Fault,
    /// The number of orders that were made.
    pub(crate) orders: watch::Sender<usize>,
    /// How often it was asked about an order.
    pub(crate) looks: watch::Sender<usize>,
}

/// Connections over TLS.
struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that does not trust us ends the handshake.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Directory {
    pub(crate) async fn start(fault: Fault) -> Self {
        let (authority, server) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let (orders, looks) = (watch::Sender::new(0), watch::Sender::new(0));
        let seen = Arc::new(Seen { base: base.clone(), fault, orders, looks });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let secure = Secure { listener, acceptor: TlsAcceptor::from(Arc::new(server)) };
        let task = tokio::spawn(async move { axum::serve(secure, app).await.unwrap() });
        Self { url: format!("{base}/dir"), authority, seen, task }
    }

    /// Waits until so many orders were made.
    pub(crate) async fn has_orders(&self, count: usize) {
        reaches(&self.seen.orders, count).await;
    }

    /// Waits until it was asked so often about an order.
    pub(crate) async fn has_looks(&self, count: usize) {
        reaches(&self.seen.looks, count).await;
    }
}

async fn reaches(counted: &watch::Sender<usize>, count: usize) {
    let mut counted = counted.subscribe();
    timeout(LIMIT, counted.wait_for(|counted| *counted >= count)).await.unwrap().unwrap();
}

/// Makes an authority, and a server with a certificate of it.
fn certificates() -> (CertificateDer<'static>, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "Authority of the directory");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let of_authority = authority.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    (of_authority, server)
}

async fn answer(State(seen): State<Arc<Seen>>, request: Request) -> Response {
    let base = &seen.base;
    let order =
        format!(r#"{{"status":"processing","authorizations":[],"finalize":"{base}/finalize/1"}}"#);
    let (status, location, body) = match request.uri().path() {
        "/dir" => {
            let nonce = match seen.fault {
                Fault::Address => "https://127.0.0.1:1:2/nonce".to_owned(),
                Fault::Nothing | Fault::Orders => format!("{base}/nonce"),
            };
            let body = format!(
                r#"{{"newNonce":"{nonce}","newAccount":"{base}/new","newOrder":"{base}/order"}}"#
            );
            (200, "", body)
        }
        "/nonce" => (200, "", String::new()),
        "/new" => (201, "/account/1", r#"{"status":"valid"}"#.to_owned()),
        "/account/1" => (200, "", r#"{"status":"valid"}"#.to_owned()),
        "/order" if seen.fault == Fault::Orders => {
            let kind = "urn:ietf:params:acme:error:rejectedIdentifier";
            (403, "", format!(r#"{{"type":"{kind}","detail":"no, thanks","status":403}}"#))
        }
        "/order" => {
            seen.orders.send_modify(|orders| *orders += 1);
            (201, "/order/1", order)
        }
        "/order/1" => {
            seen.looks.send_modify(|looks| *looks += 1);
            (200, "", order)
        }
        path => panic!("nothing is at {path}"),
    };
    Response::builder()
        .status(status)
        .header("replay-nonce", "bm9uY2U")
        .header("retry-after", WAIT_S)
        .header("location", format!("{base}{location}"))
        .body(Body::from(body))
        .unwrap()
}
