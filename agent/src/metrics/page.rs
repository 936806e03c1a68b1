//! The smallest HTTP server that can offer one page.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

use super::Source;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections served at the same time; more wait.
const CONNECTIONS_MAX: usize = 8;
/// From the first byte of a request to its last header.
const HEADERS: Duration = Duration::from_secs(5);
/// Longest life of a connection.
const CONNECTION: Duration = Duration::from_secs(60);

/// Offers `/metrics` until dropped.
///
/// # Errors
/// What the listener says when it can take no more connections.
pub async fn serve(listener: TcpListener, source: Source) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, _peer) = listener.accept().await?;
        let source = source.clone();
        tokio::spawn(async move {
            answer(stream, source).await;
            drop(place);
        });
    }
}

async fn answer(stream: TcpStream, source: Source) {
    let service = service_fn(move |request| {
        let response = respond(&request, &source);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a scrape broke off"),
        Err(_elapsed) => debug!("a scraping connection was closed for its age"),
    }
}

fn respond(request: &Request<Incoming>, source: &Source) -> Response<String> {
    let is_page = request.method() == Method::GET && request.uri().path() == "/metrics";
    let mut response = Response::new(if is_page { source.page() } else { String::new() });
    if is_page {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS));
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
