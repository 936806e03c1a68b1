//! The page of metrics over HTTP.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use oml_daemon::http;
use tokio::net::TcpListener;

use super::Source;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Offers `/metrics` until dropped.
pub async fn serve(listener: TcpListener, source: Source) -> Infallible {
    let service = service_fn(move |request| {
        let response = respond(&request, &source);
        async move { Ok::<_, Infallible>(response) }
    });
    http::serve(listener, service).await
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
