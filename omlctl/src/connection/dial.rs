//! Opens a channel and is told at once when the controller does not let us in.
//!
//! With TLS 1.3 a refused client hears of it only after its own handshake is
//! done. A client that writes first loses that word in most cases, because the
//! server closes a connection it has not read to its end. So nothing is written
//! before the server's first bytes are here; HTTP/2 servers speak at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use oml_proto::tls;
use rustls::ClientConfig;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The text is not an address.
    #[error("not an address; it looks like host:port")]
    Address,
    /// Nobody answers there, or trust is missing on one side.
    #[error("no connection")]
    Failed(#[source] tonic::transport::Error),
}

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a text is `host:port`.
pub(super) fn is_address(text: &str) -> bool {
    tls::uri(text).is_some()
}

/// Connects to `address`, which is `host:port`. The caller bounds the time.
pub(super) async fn dial(address: &str, config: Arc<ClientConfig>) -> Result<Channel, DialError> {
    let uri = tls::uri(address).ok_or(DialError::Address)?;
    let endpoint = Endpoint::from(uri)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let tls = TlsConnector::from(config);
    let connector = tower::service_fn(move |uri: Uri| open(uri, tls.clone()));
    endpoint.connect_with_connector(connector).await.map_err(DialError::Failed)
}

async fn open(uri: Uri, tls: TlsConnector) -> io::Result<TokioIo<BufReader<TlsStream<TcpStream>>>> {
    let mut stream = BufReader::new(tls::handshake(&uri, &tls).await?);
    if stream.fill_buf().await?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(TokioIo::new(stream))
}
