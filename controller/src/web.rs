//! The HTTP server for Prometheus: the controller's metrics, the discovery of all
//! other metrics endpoints, and a health check. It is read-only, and listens on
//! loopback by default.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use oml_common::text::error::chain;
use oml_daemon::http;
use tokio::net::TcpListener;

use crate::ops::reader::StatusReader;
use crate::shutdown::ShutdownSignal;
use crate::tasks::TaskCounters;

mod discovery;
mod metrics;

/// The counters of every task, by its name.
pub type CountersByTask = BTreeMap<&'static str, Arc<TaskCounters>>;

/// The content type of OpenMetrics text.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Shared {
    status: StatusReader,
    counters: Arc<CountersByTask>,
}

/// Serves requests until a shutdown is requested.
pub async fn serve(
    listener: TcpListener,
    status: StatusReader,
    counters: CountersByTask,
    mut shutdown: ShutdownSignal,
) {
    let shared = Shared { status, counters: Arc::new(counters) };
    let router = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/sd", get(discovery_page))
        .route("/healthz", get(health_page))
        .with_state(shared);
    tokio::select! {
        biased;
        () = shutdown.requested() => {}
        never = http::serve(listener, TowerToHyperService::new(router)) => match never {},
    }
}

async fn metrics_page(State(shared): State<Shared>) -> Response {
    match shared.status.read(None).await {
        Ok(status) => {
            let commits = shared.status.commits();
            let now = shared.status.now();
            let page = metrics::page(&status, now, commits, &shared.counters);
            ([(header::CONTENT_TYPE, METRICS_TYPE)], page).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

async fn discovery_page(State(shared): State<Shared>) -> Response {
    match shared.status.read(None).await {
        Ok(status) => axum::Json(discovery::targets(&status)).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn health_page(State(shared): State<Shared>) -> Response {
    match shared.status.check_store().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &crate::ops::OpsError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", chain(error))).into_response()
}
