//! The HTTP server for Prometheus: the controller's metrics, the discovery of all
//! other metrics endpoints, and a health check. It is read-only, and listens on
//! loopback by default.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use oml_common::text::error::chain;
use oml_daemon::http;
use oml_daemon::metrics::Format;
use tokio::net::TcpListener;

use crate::ops::Ops;
use crate::ops::certificate::OwnCertificates;
use crate::ops::reader::StatusReader;
use crate::shutdown::ShutdownSignal;
use crate::tasks::TaskCounters;

mod discovery;
mod metrics;

/// The counters of every task, by its name.
pub type CountersByTask = BTreeMap<&'static str, Arc<TaskCounters>>;

/// What the pages show.
#[derive(Debug, Clone)]
pub struct Pages {
    status: StatusReader,
    certificates: OwnCertificates,
    counters: Arc<CountersByTask>,
}

impl Pages {
    /// Shows the status of everything, the controller's certificates and these counters.
    #[must_use]
    pub fn new(ops: &Ops, counters: CountersByTask) -> Self {
        Self {
            status: ops.status.clone(),
            certificates: ops.own_certificates.clone(),
            counters: Arc::new(counters),
        }
    }
}

/// Serves requests until a shutdown is requested.
pub async fn serve(listener: TcpListener, pages: Pages, mut shutdown: ShutdownSignal) {
    let router = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/sd", get(discovery_page))
        .route("/healthz", get(health_page))
        .with_state(pages);
    tokio::select! {
        biased;
        () = shutdown.requested() => {}
        never = http::serve(listener, TowerToHyperService::new(router)) => match never {},
    }
}

async fn metrics_page(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let accept = headers.get_all(header::ACCEPT);
    let format = Format::accepted(accept.iter().map(HeaderValue::as_bytes));
    match pages.status.read(None).await {
        Ok(status) => {
            let page = metrics::page(&status.tenants, &pages, format);
            let headers = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
            (headers, page).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

async fn discovery_page(State(pages): State<Pages>) -> Response {
    match pages.status.read(None).await {
        Ok(status) => axum::Json(discovery::targets(&status.tenants)).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn health_page(State(pages): State<Pages>) -> Response {
    match pages.status.check_store().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &crate::ops::OpsError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", chain(error))).into_response()
}
