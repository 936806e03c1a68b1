//! The events that the engine keeps.

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAction {
    /// It was created.
    Create,
    Start,
    /// It has ended.
    Die,
    /// It was sent a signal.
    Kill,
    /// It was stopped by the engine.
    Stop,
    /// It was renamed.
    Rename,
    /// It was removed.
    Destroy,
}

/// An event of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The time of the event, in milliseconds since the epoch.
    pub at_ms: u64,
    pub id: String,
    pub action: EventAction,
}
