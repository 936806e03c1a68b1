//! A small registry that has every digest, and every tag except those that begin with "no".
#![expect(clippy::disallowed_methods, reason = "real sockets, which the test makes itself")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use oml_common::id::ContentHash;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running registry on loopback.
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<Behaviour>,
    task: JoinHandle<()>,
}

/// The behaviour and the counters of the registry.
#[derive(Default)]
pub(crate) struct Behaviour {
    /// Whether every response has status 500.
    pub(crate) is_broken: AtomicBool,
    pub(crate) requests: AtomicUsize,
    /// How often all tags were moved to other images.
    pub(crate) moves: AtomicUsize,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Behaviour::default());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, state, task }
    }
}

async fn answer(State(manner): State<Arc<Behaviour>>, request: Request) -> Response {
    manner.requests.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path();
    let tag = path.rsplit('/').next().unwrap_or_default();
    let status = match () {
        () if manner.is_broken.load(Ordering::SeqCst) => 500,
        () if tag.starts_with("no") => 404,
        () => 200,
    };
    let moves = match manner.moves.load(Ordering::SeqCst) {
        0 => String::new(),
        moves => moves.to_string(),
    };
    let digest = match tag.starts_with("sha256:") {
        true => tag.to_owned(),
        false => format!("sha256:{}", ContentHash::of(format!("{path}{moves}").as_bytes())),
    };
    Response::builder()
        .status(status)
        .header("docker-content-digest", digest)
        .body(Body::empty())
        .unwrap()
}
