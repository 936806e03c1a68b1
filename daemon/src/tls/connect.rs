//! Opens gRPC channels with our TLS configurations.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::proxy::Proxies;

/// The error of opening a channel. With TLS 1.3, a server refuses a client's certificate
/// only after the handshake of the client, so that the first call fails instead.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The text is not `host:port`.
    #[error("{address:?} is not an address; it looks like host:port")]
    Address { address: String },
    /// The connection failed, or the server is not trusted.
    #[error("cannot connect to {address}")]
    Failed { address: String, source: tonic::transport::Error },
}

/// The name of a controller that our programs of every release ask for, wherever it runs.
pub const SERVER_NAME: &str = "controller";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The size limit of the headers of a reply, which contain the problems of a refused
/// change.
const HEADERS_BYTES_MAX: u32 = 64 << 10;
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to `address`, which is `host:port`, within five seconds, through the proxy that is
/// for it if there is one. The channel
/// reconnects by itself with the same configuration; a new certificate needs a new
/// channel.
///
/// # Errors
/// Returns [`ConnectError`] if the address is invalid, nothing answers, or the server is
/// not trusted.
pub async fn connect(
    address: &str,
    config: Arc<ClientConfig>,
    proxies: &Proxies,
) -> Result<Channel, ConnectError> {
    let endpoint = endpoint(address)?;
    let (tls, proxies) = (TlsConnector::from(config), proxies.clone());
    let connector = tower::service_fn(move |uri: Uri| dial(uri, tls.clone(), proxies.clone()));
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|source| ConnectError::Failed { address: address.to_owned(), source })
}

/// Connects as [`connect`] does, and waits for the first bytes of the controller, so that
/// a refusal of our certificate is an error of this call; see [`open`].
///
/// # Errors
/// Returns the errors of [`connect`], and an error if the controller refuses our
/// certificate.
pub async fn connect_admitted(
    address: &str,
    config: Arc<ClientConfig>,
    proxies: &Proxies,
) -> Result<Channel, ConnectError> {
    let endpoint = endpoint(address)?;
    let (tls, proxies) = (TlsConnector::from(config), proxies.clone());
    let connector = tower::service_fn(move |uri: Uri| {
        let (tls, proxies) = (tls.clone(), proxies.clone());
        async move { open(&uri, &tls, &proxies).await.map(TokioIo::new) }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|source| ConnectError::Failed { address: address.to_owned(), source })
}

impl ConnectError {
    /// Returns whether the controller was reached and refused our certificate.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let refused = |error: &rustls::Error| matches!(error, rustls::Error::AlertReceived(_));
        find::<rustls::Error>(self).is_some_and(refused)
    }
}

/// Searches the chain of causes, including causes inside I/O errors.
pub fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = carried.and_then(|inner| find::<T>(inner));
        if let Some(found) = inner.or_else(|| error.downcast_ref::<T>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Parses `host:port`; returns `None` for any other text.
#[must_use]
pub fn uri(address: &str) -> Option<Uri> {
    // tonic takes `https` for its own TLS, which cannot verify as we do.
    let uri: Uri = format!("http://{address}").parse().ok()?;
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let is_plain = uri.path() == "/" && uri.query().is_none();
    (has_host && uri.port_u16().is_some() && is_plain).then_some(uri)
}

fn endpoint(address: &str) -> Result<Endpoint, ConnectError> {
    let uri = uri(address).ok_or_else(|| ConnectError::Address { address: address.to_owned() })?;
    Ok(Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

/// Connects and performs the client's part of the handshake.
async fn handshake(
    uri: &Uri,
    tls: &TlsConnector,
    proxies: &Proxies,
) -> io::Result<TlsStream<TcpStream>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let host = uri.host().ok_or_else(invalid)?.trim_matches(['[', ']']);
    let port = uri.port_u16().ok_or_else(invalid)?;
    let tcp = proxies.tunnel(host, port).await?;
    tcp.set_nodelay(true)?;
    // The controller is known by the identity in its certificate, not by a name.
    let name = ServerName::try_from(SERVER_NAME).map_err(|_error| invalid())?;
    tls.connect(name, tcp).await
}

/// Connects, and fails at once if the controller refuses us.
///
/// With TLS 1.3, a client learns of its refusal only after its own handshake is complete.
/// If it writes first, it usually loses the reason, because the server closes a
/// connection that it has not read completely. Therefore nothing is written before the
/// server's first bytes arrive; HTTP/2 servers send some at once. The caller has to limit
/// the time.
///
/// # Errors
/// Returns an error if nothing answers, the server is not trusted, or it refuses the
/// client's certificate.
pub async fn open(
    uri: &Uri,
    tls: &TlsConnector,
    proxies: &Proxies,
) -> io::Result<BufReader<TlsStream<TcpStream>>> {
    let mut stream = BufReader::new(handshake(uri, tls, proxies).await?);
    if stream.fill_buf().await?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(stream)
}

async fn dial(
    uri: Uri,
    tls: TlsConnector,
    proxies: Proxies,
) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    handshake(&uri, &tls, &proxies).await.map(TokioIo::new)
}
