//! Opens a gRPC channel over a TLS configuration of ours.

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

/// Why there is no channel. With TLS 1.3 a server refuses a client's
/// certificate only after this succeeded: the first call then fails.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The text is not `host:port`.
    #[error("{address:?} is not an address; it looks like host:port")]
    Address { address: String },
    /// There is no connection, or no trust.
    #[error("cannot connect to {address}")]
    Failed {
        address: String,
        /// What went wrong.
        source: tonic::transport::Error,
    },
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Largest head of an answer: the problems of a refused change are in one.
const HEADERS_BYTES_MAX: u32 = 64 << 10;
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to `address`, which is `host:port`, within five seconds. The
/// channel connects again by itself when the connection is lost, with the same
/// configuration; after a renewal make a new one.
///
/// # Errors
/// When the address is not one, nothing answers, or the server is not trusted.
pub async fn connect(address: &str, config: Arc<ClientConfig>) -> Result<Channel, ConnectError> {
    let endpoint = endpoint(address)?;
    let tls = TlsConnector::from(config);
    let connector = tower::service_fn(move |uri: Uri| dial(uri, tls.clone()));
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|source| ConnectError::Failed { address: address.to_owned(), source })
}

/// Connects as [`connect`] does, and waits for the controller's first word, so
/// that a refusal of our certificate is heard here: see [`open`].
///
/// # Errors
/// As [`connect`], and when the controller refuses our certificate.
pub async fn connect_admitted(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<Channel, ConnectError> {
    let endpoint = endpoint(address)?;
    let tls = TlsConnector::from(config);
    let connector = tower::service_fn(move |uri: Uri| {
        let tls = tls.clone();
        async move { open(&uri, &tls).await.map(TokioIo::new) }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|source| ConnectError::Failed { address: address.to_owned(), source })
}

impl ConnectError {
    /// Whether the controller was reached and refused our certificate.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let refused = |error: &rustls::Error| matches!(error, rustls::Error::AlertReceived(_));
        find::<rustls::Error>(self).is_some_and(refused)
    }
}

/// Looks for a cause through the chain, and into I/O errors, which hide what
/// they carry.
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

/// What `host:port` stands for; none if the text is anything else.
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

/// Connects and does the client's part of the handshake.
async fn handshake(uri: &Uri, tls: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let host = uri.host().ok_or_else(invalid)?.trim_matches(['[', ']']);
    let port = uri.port_u16().ok_or_else(invalid)?;
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    // The controller is known by its certificate's identity, not by a name.
    let name = ServerName::try_from("controller").map_err(|_error| invalid())?;
    tls.connect(name, tcp).await
}

/// Connects, and is told at once when the controller does not let us in.
///
/// With TLS 1.3 a refused client hears of it only after its own handshake is
/// done. A client that writes first loses that word in most cases, because the
/// server closes a connection it has not read to its end. So nothing is written
/// before the server's first bytes are here; HTTP/2 servers speak at once. The
/// caller bounds the time.
///
/// # Errors
/// When nothing answers, the server is not trusted, or it refuses the client's
/// certificate.
pub async fn open(uri: &Uri, tls: &TlsConnector) -> io::Result<BufReader<TlsStream<TcpStream>>> {
    let mut stream = BufReader::new(handshake(uri, tls).await?);
    if stream.fill_buf().await?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(stream)
}

async fn dial(uri: Uri, tls: TlsConnector) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    handshake(&uri, &tls).await.map(TokioIo::new)
}
