//! The events of the engine. They wake the agent and explain how a container ended. The
//! present state comes only from a listing.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, EventsOptionsBuilder};
use futures_util::StreamExt as _;
use oml_common::decide::exit::asks_for_end;
use oml_common::time::Timestamp;
use tokio::sync::watch;

use super::failure;
use super::socket::Engine;
use crate::pause::RetryPause;
use crate::runtime::{ContainerEvents, RuntimeError};

/// Events that change the state of a container, or take an image away; the engine sends many more.
const ACTIONS: [&str; 11] = [
    "create", "start", "die", "destroy", "rename", "oom", "pause", "unpause", "update", "untag",
    "delete",
];
/// Events that distinguish an act by hand from a program that ended by itself.
const ENDINGS: [&str; 5] = ["die", "kill", "stop", "oom", "destroy"];
const HISTORY_LIMIT: Duration = Duration::from_secs(5);
const CLOCK_LIMIT: Duration = Duration::from_secs(5);

/// Counts up for every change of a container, for ever. Containers that are not ours count too: one
/// may take a name that we need, or free it. The removal of an image counts, because a prune removes
/// it some time after its container, and what is started then waits for it.
pub(super) async fn watch(engine: &Engine, counter: &watch::Sender<u64>) {
    let mut since = None;
    let mut backoff = RetryPause::new();
    loop {
        if since.is_none() {
            match now(engine).await {
                Ok(now) => since = now,
                Err(error) => tracing::debug!(%error, "cannot read the engine's time"),
            }
            // A look may have been before that time, which the stream does not show.
            bump(counter);
        }
        match follow(engine, counter, &mut since, &mut backoff).await {
            Ok(()) => tracing::debug!("event stream ended; reopening it"),
            Err(error) => tracing::debug!(%error, "cannot open the event stream"),
        }
        // Events may have been lost, so a listing is needed.
        bump(counter);
        backoff.pause().await;
    }
}

/// Returns the time of the engine, from which its events are followed: the stream of events is open
/// only some time after it is asked for.
async fn now(engine: &Engine) -> Result<Option<String>, RuntimeError> {
    let client = engine.client(CLOCK_LIMIT)?;
    let info = failure::within(CLOCK_LIMIT, "ask for", "its time", client.info()).await?;
    let now = info.system_time.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Ok(now.and_then(|now| i64::try_from(now.as_nanosecond()).ok()).map(seconds))
}

async fn follow(
    engine: &Engine,
    counter: &watch::Sender<u64>,
    since: &mut Option<String>,
    backoff: &mut RetryPause,
) -> Result<(), RuntimeError> {
    let failed = |error| failure::of("follow", "events", error);
    let client = engine.client(HISTORY_LIMIT)?;
    let mut events = std::pin::pin!(client.events(Some(options(since.as_deref()))));
    while let Some(event) = events.next().await {
        let event = event.map_err(failed)?;
        if let Some(nanos) = event.time_nano {
            // The next one: this instant was seen.
            *since = Some(seconds(nanos.saturating_add(1)));
        }
        backoff.reset();
        bump(counter);
    }
    Ok(())
}

fn bump(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count = count.wrapping_add(1));
}

fn options(since: Option<&str>) -> EventsOptions {
    let types = vec!["container", "image"];
    let filters = HashMap::from([("type", types), ("event", ACTIONS.to_vec())]);
    let options = EventsOptionsBuilder::new().filters(&filters);
    since.map_or(options.clone(), |since| options.since(since)).build()
}

fn seconds(nanos: i64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// What is done to a container, which is stopped by that signal, from `since` to `until`; waits for
/// an `until` that is to come.
pub(super) async fn of(
    engine: &Engine,
    id: &str,
    stop_signal: Option<&str>,
    since: Timestamp,
    until: Timestamp,
) -> Result<ContainerEvents, RuntimeError> {
    let engine_time = |at: Timestamp| format!("{}.{:03}000000", at.0 / 1000, at.0 % 1000);
    let filters = HashMap::from([
        ("container", vec![id.to_owned()]),
        ("event", ENDINGS.map(str::to_owned).to_vec()),
    ]);
    let options = EventsOptionsBuilder::new()
        .filters(&filters)
        .since(&engine_time(since))
        .until(&engine_time(until))
        .build();
    let client = engine.client(HISTORY_LIMIT)?;
    let read = async {
        let mut container_events = ContainerEvents::default();
        let mut events = std::pin::pin!(client.events(Some(options)));
        while let Some(event) = events.next().await {
            add(&mut container_events, &event?, stop_signal);
        }
        Ok(container_events)
    };
    failure::within(HISTORY_LIMIT, "read the events of", id, read).await
}

/// Returns the number of the signal that a container got.
fn signal(event: &EventMessage) -> Option<&str> {
    let attributes = event.actor.as_ref()?.attributes.as_ref()?;
    attributes.get("signal").map(String::as_str)
}

fn add(events: &mut ContainerEvents, event: &EventMessage, stop_signal: Option<&str>) {
    match event.action.as_deref() {
        Some("die") => events.ended = true,
        Some("stop") => events.stopped = true,
        Some("kill") => events.killed |= asks_for_end(signal(event), stop_signal),
        Some("destroy") => events.removed = true,
        Some("oom") => events.out_of_memory = true,
        Some(_) | None => {}
    }
}
