//! Plain HTTP for a few pages, such as metrics, with a bound on connections and time.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// The number of concurrent connections; further ones wait.
pub const CONNECTIONS_MAX: usize = 8;
/// The time limit from the first byte of a request to its last header.
const HEADERS: Duration = Duration::from_secs(5);
/// The time limit of a connection, which is one request.
const CONNECTION: Duration = Duration::from_secs(20);
/// The pause after the system could not accept a connection, for example because of too
/// many open files.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Answers requests until it is dropped, which also ends its connections.
pub async fn serve<S, B>(listener: TcpListener, service: S) -> Infallible
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(answer(stream, service.clone()));
                }
                Err(error) => {
                    warn!(%error, "no connection can be taken");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn answer<S, B>(stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A peer that asks often takes no place from the others in between.
        .keep_alive(false)
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a request broke off"),
        Err(_elapsed) => debug!("a connection was closed for its age"),
    }
}

#[cfg(test)]
mod tests;
