//! Limits the rate of an agent's messages. Further messages wait in the agent's own
//! connection.

use std::time::Duration;

use tokio::time::Instant;

/// The number of messages that one session may send within [`WINDOW`].
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

    /// Counts a message.
    pub(super) fn note(&mut self, now: Instant) {
        if now >= self.began + WINDOW {
            *self = Self::new(now);
        }
        self.count += 1;
    }

    /// Returns the time until which no more messages are read, if there were too many.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        (self.count >= MESSAGES_MAX).then_some(self.began + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    //! Agents that send many messages, and agents that send few.

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
