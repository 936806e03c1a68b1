//! Converts the times and states of the engine.

use bollard::models::ContainerState as EngineState;
use oml_common::decide::observed::ContainerState;
use oml_common::time::Timestamp;

/// An engine's time; 0 for one it does not have.
pub(super) fn timestamp(text: Option<&str>) -> Timestamp {
    let parsed = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ms = parsed.map_or(0, jiff::Timestamp::as_millisecond);
    // "Never" is the year 1.
    Timestamp(u64::try_from(ms).unwrap_or(0))
}

/// Converts the state that `inspect` returned.
pub(super) fn state(state: &EngineState) -> ContainerState {
    let started = timestamp(state.started_at.as_deref());
    if state.running == Some(true) || state.restarting == Some(true) {
        return ContainerState::Running { since: started };
    }
    if started == Timestamp(0) {
        return ContainerState::Created;
    }
    ContainerState::Exited {
        code: state.exit_code.unwrap_or(-1),
        at: timestamp(state.finished_at.as_deref()),
        out_of_memory: state.oom_killed == Some(true),
    }
}

#[cfg(test)]
mod tests;
