//! Limits how fast an agent may send: what comes faster waits in its own
//! connection and nowhere else.

use std::time::Duration;

use tokio::time::Instant;

/// Messages of one session within [`WINDOW`].
const MESSAGES_MAX: u32 = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// Counts the messages of one session within a window.
#[derive(Debug)]
pub(super) struct RateLimit {
    began: Instant,
    count: u32,
}

impl RateLimit {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, count: 0 }
    }

    /// A message came.
    pub(super) fn note(&mut self, now: Instant) {
        if now >= self.began + WINDOW {
            *self = Self::new(now);
        }
        self.count += 1;
    }

    /// Until when no more are read, if there were too many.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        (self.count >= MESSAGES_MAX).then_some(self.began + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    //! Talkative and quiet agents.

    use super::*;

    #[test]
    fn a_talkative_agent_rests_until_its_second_is_over() {
        let start = Instant::now();
        let mut limit = RateLimit::new(start);
        for _ in 1..MESSAGES_MAX {
            limit.note(start);
            assert_eq!(limit.paused_until(), None);
        }
        limit.note(start);
        assert_eq!(limit.paused_until(), Some(start + WINDOW));
        limit.note(start + WINDOW);
        assert_eq!(limit.paused_until(), None);
    }
}
