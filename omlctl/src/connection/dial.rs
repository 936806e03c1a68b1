//! Opens a channel, and detects at once if the controller refuses the operator's certificate.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls;
use rustls::ClientConfig;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// The error of opening a channel.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("not an address; write host:port")]
    Address,
    /// There is no answer, or one side does not trust the other.
    #[error("no connection")]
    Failed(#[source] tonic::transport::Error),
}

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a text is `host:port`.
pub(super) fn is_address(text: &str) -> bool {
    tls::uri(text).is_some()
}

/// Connects to `address`, which is `host:port`. The caller sets a timeout.
pub(super) async fn dial(address: &str, config: Arc<ClientConfig>) -> Result<Channel, DialError> {
    let uri = tls::uri(address).ok_or(DialError::Address)?;
    let endpoint = Endpoint::from(uri)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    let connector = TlsConnector::from(config);
    let connector = tower::service_fn(move |uri: Uri| {
        let connector = connector.clone();
        async move { tls::open(&uri, &connector, &Proxies::default()).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.map_err(DialError::Failed)
}
