//! Plain HTTP for Prometheus: metrics, and where to find everybody else's.
//! Read only, and by default for this machine alone.

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

use crate::ops::status::Status;
use crate::shutdown::ShutdownSignal;
use crate::tasks::TaskCounters;

mod discovery;
mod metrics;

/// How every task fares, by its name.
pub type CountersByTask = BTreeMap<&'static str, Arc<TaskCounters>>;

/// The content type of OpenMetrics.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Shared {
    status: Status,
    counters: Arc<CountersByTask>,
}

/// Serves until told to stop.
pub async fn serve(
    listener: TcpListener,
    status: Status,
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
