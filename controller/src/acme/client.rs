//! The requests of the ACME library, sent as those to registries are.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Method, Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use oml_common::time::Timestamp;
use oml_daemon::env::Clock;
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::registry::{Http, Outgoing};

use super::error::AcmeError;

/// The time limit of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// Sends the requests of one account.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) clock: Clock,
    pub(super) http: Arc<Http>,
    pub(super) trusted: Arc<[CertificateDer<'static>]>,
    pub(super) said: Arc<RetryAfter>,
}

/// How long the directory wants to be asked nothing, as it said in its last answer (RFC 9110 §10.2.3). The
/// library does not say it of errors.
#[derive(Debug, Default)]
pub(super) struct RetryAfter(Mutex<Option<u64>>);

impl RetryAfter {
    /// Returns the time in milliseconds.
    pub(super) fn ms(&self) -> Option<u64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an error of the library one that says when to ask again.
    pub(super) fn error(&self, error: Error) -> AcmeError {
        AcmeError::of_request(&error, self.ms())
    }

    fn note(&self, headers: &HeaderMap, now: Timestamp) {
        let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let said = text.and_then(|text| retry_after_ms(text, now));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

/// Reads a number of seconds or a date.
fn retry_after_ms(text: &str, now: Timestamp) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    let at = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    Some(at.since_ms(now))
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let exchange = Exchange {
            http: Arc::clone(&self.http),
            trusted: Arc::clone(&self.trusted),
            said: Arc::clone(&self.said),
            now: self.clock.now(),
        };
        Box::pin(async move {
            match timeout(REQUEST_LIMIT, exchange.send(request)).await {
                Ok(sent) => sent,
                Err(_elapsed) => {
                    let seconds = REQUEST_LIMIT.as_secs();
                    Err(unreachable(format!("the directory gives no answer within {seconds} s")))
                }
            }
        })
    }
}

/// One request, with all that it needs.
struct Exchange {
    http: Arc<Http>,
    trusted: Arc<[CertificateDer<'static>]>,
    said: Arc<RetryAfter>,
    now: Timestamp,
}

impl Exchange {
    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let Self { http, trusted, said, now } = self;
        let (head, body) = request.into_parts();
        let method = head.method.clone();
        let body = body.collect().await;
        let body = body.map_err(|_error| unreachable("a request cannot be made".to_owned()))?;
        let outgoing = Outgoing {
            method: head.method,
            url: &head.uri,
            headers: &head.headers,
            body: body.to_bytes(),
            trusted: &trusted,
        };
        let received = http.exchange(outgoing).await.map_err(|error| {
            let hint = match error.wrong_certificate() {
                Some(_) => "; if its certificate is of a private authority, set ca_file in [acme] of controller.toml",
                None => "",
            };
            unreachable(format!("cannot ask {}: {error}{hint}", head.uri))
        })?;
        said.note(&received.headers, now);
        // Whoever posts reads the problem himself, if it is one; the library does not look at other errors.
        let is_read = method == Method::POST && is_problem(&received.body);
        if !received.status.is_success() && !is_read {
            return Err(unreachable(format!("{} answers {}", head.uri, received.status)));
        }
        let mut response = Response::new(Full::new(received.body));
        *response.status_mut() = received.status;
        *response.headers_mut() = received.headers;
        Ok(BytesResponse::from(response))
    }
}

/// Whether a directory said what is wrong (RFC 7807).
fn is_problem(body: &[u8]) -> bool {
    serde_json::from_slice::<Problem>(body).is_ok()
}

/// Makes the error of a request without an answer.
fn unreachable(reason: String) -> Error {
    Error::Other(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_says_when_to_ask_again_in_seconds_or_as_a_date() {
        let now = Timestamp(784_111_770_000);
        assert_eq!(retry_after_ms("120", now), Some(120_000));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(7_000));
        assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:20 GMT", now), Some(0));
        for text in ["", "soon", "-5", "99999999999999999999999"] {
            assert_eq!(retry_after_ms(text, now), None, "{text}");
        }
        let said = RetryAfter::default();
        let headers = [(RETRY_AFTER, "3".parse().unwrap())].into_iter().collect();
        said.note(&headers, now);
        assert_eq!(said.ms(), Some(3_000));
        said.note(&HeaderMap::new(), now);
        assert_eq!(said.ms(), None);
    }
}
