//! The page of metrics over HTTP.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use oml_daemon::http;
use oml_daemon::metrics::Format;
use tokio::net::TcpListener;

use super::Source;

/// Offers `/metrics` until dropped.
pub async fn serve(listener: TcpListener, source: Source) -> Infallible {
    let service = service_fn(move |request| {
        let response = respond(&request, &source);
        async move { Ok::<_, Infallible>(response) }
    });
    http::serve(listener, service).await
}

fn respond(request: &Request<Incoming>, source: &Source) -> Response<String> {
    if request.method() != Method::GET || request.uri().path() != "/metrics" {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let accept = request.headers().get_all(ACCEPT);
    let format = Format::accepted(accept.iter().map(HeaderValue::as_bytes));
    let mut response = Response::new(source.page(format));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}
