//! HTTP requests, each over its own connection and with a bounded response.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{provider, time_provider};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::trust::Trust;

/// The greatest size of a response body in bytes. Bodies are manifests and tokens.
const BODY_SIZE_BYTES_MAX: usize = 4 << 20;

/// A request with its body.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
    /// The authorities that are trusted besides those of the system.
    pub(crate) trusted: &'a [CertificateDer<'static>],
}

/// A response of any status.
#[derive(Debug)]
pub(crate) struct Response {
    /// The address that responded.
    pub(super) url: Uri,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The error of a request without a response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{0} is not a valid HTTP or HTTPS address")]
    Address(Uri),
    #[error("{0}")]
    Connect(io::Error),
    #[error("cannot load the system's trusted certificates: {0}")]
    Authorities(String),
    #[error("{}", innermost(.0))]
    Exchange(hyper::Error),
    #[error("its response is cut short or longer than {BODY_SIZE_BYTES_MAX} bytes")]
    Body,
}

impl HttpError {
    /// Returns what is wrong with the server's certificate, if that ended the connection.
    pub(crate) fn wrong_certificate(&self) -> Option<&rustls::CertificateError> {
        let Self::Connect(error) = self else { return None };
        let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        let rustls::Error::InvalidCertificate(wrong) = inner else { return None };
        Some(wrong)
    }
}

/// Adds the cause to hyper's error, because hyper's own message leaves it out.
fn innermost(error: &hyper::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// An HTTP client. It loads the authorities that the system trusts at the first HTTPS
/// request.
pub(crate) struct Http {
    /// The time by which the certificates of servers are judged.
    clock: Clock,
    proxies: Proxies,
    /// The authorities of the system.
    system: OnceCell<RootCertStore>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    pub(crate) fn new(clock: Clock, proxies: Proxies) -> Self {
        Self { clock, proxies, system: OnceCell::new() }
    }

    /// Sends one request without a body, as [`Http::exchange`] does.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Uri,
        headers: &HeaderMap,
        trusted: &[CertificateDer<'static>],
    ) -> Result<Response, HttpError> {
        self.exchange(Outgoing { method, url, headers, body: Bytes::new(), trusted }).await
    }

    /// Sends one request, through the proxy that is for the address. A server's certificate is of
    /// an authority of the system or one that the request trusts. The caller limits the time.
    pub(crate) async fn exchange(&self, outgoing: Outgoing<'_>) -> Result<Response, HttpError> {
        let Outgoing { method, url, headers, body, trusted } = outgoing;
        let address = || HttpError::Address(url.clone());
        let (host, authority) = url.host().zip(url.authority()).ok_or_else(address)?;
        let host = host.trim_matches(['[', ']']);
        let is_tls = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(address()),
        };
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        // A proxy for plain HTTP needs the whole address (RFC 9112 §3.2.2).
        let proxy = self.proxies.of(url).filter(|_| !is_tls);
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = match &proxy {
            Some(_) => url.clone(),
            None => path.parse().map_err(|_invalid| address())?,
        };
        *request.headers_mut() = headers.clone();
        if let Some(login) = proxy.as_ref().and_then(|proxy| proxy.authorization.clone()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, login);
        }
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_invalid| address())?;
        request.headers_mut().insert(HOST, authority);
        let agent = concat!("omlcontroller/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));

        let connected = match &proxy {
            Some(proxy) => proxy.connect().await,
            None if is_tls => self.proxies.tunnel(host, port).await,
            None => TcpStream::connect((host, port)).await,
        };
        let tcp = connected.map_err(HttpError::Connect)?;
        if !is_tls {
            return exchange(tcp, url, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_invalid| address())?;
        let tls = self.connector(trusted).await?;
        exchange(tls.connect(name, tcp).await.map_err(HttpError::Connect)?, url, request).await
    }
}

/// Sends one request over a new connection and returns the response.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &Uri,
    request: Request<Full<Bytes>>,
) -> Result<Response, HttpError> {
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(HttpError::Exchange)?;
    let exchanged = async move {
        let response = sender.send_request(request).await.map_err(HttpError::Exchange)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_SIZE_BYTES_MAX).collect().await;
        let body = body.map_err(|_cut_or_long| HttpError::Body)?.to_bytes();
        Ok(Response { url: url.clone(), status: head.status, headers: head.headers, body })
    };
    // An error of the connection also fails the exchange, so its own result is ignored.
    let (response, _connection_result) = tokio::join!(exchanged, connection);
    response
}

impl Http {
    /// Trusts the authorities of the system and these.
    async fn connector(
        &self,
        trusted: &[CertificateDer<'static>],
    ) -> Result<TlsConnector, HttpError> {
        let mut roots = match self.system.get_or_try_init(authorities_of_system).await {
            Ok(roots) => roots.clone(),
            // A system without any authority can still trust a private one.
            Err(_) if !trusted.is_empty() => RootCertStore::empty(),
            Err(error) => return Err(error),
        };
        roots.add_parsable_certificates(trusted.iter().cloned());
        connector(roots, trusted, &self.clock)
    }
}

async fn authorities_of_system() -> Result<RootCertStore, HttpError> {
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let loaded = loaded.map_err(|error| HttpError::Authorities(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(loaded.certs);
    if added == 0 {
        let reason = loaded.errors.first().map_or("none found".into(), ToString::to_string);
        return Err(HttpError::Authorities(reason));
    }
    Ok(roots)
}

/// Trusts these authorities and the certificates that are `named`, and judges by `clock` whether
/// a certificate is valid now.
pub(super) fn connector(
    roots: RootCertStore,
    named: &[CertificateDer<'static>],
    clock: &Clock,
) -> Result<TlsConnector, HttpError> {
    let trust = Trust::new(roots, named);
    let trust = trust.map_err(|error| HttpError::Authorities(error.to_string()))?;
    let config = ClientConfig::builder_with_details(provider(), time_provider(clock))
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Authorities(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
