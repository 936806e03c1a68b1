//! Waiting a little longer every time, up to a limit.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// The pauses between attempts to reach something that is away.
#[derive(Debug, Clone)]
pub struct RetryPause {
    next: Duration,
}

impl RetryPause {
    /// Short at first.
    #[must_use]
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// It answered: the next pause is short again.
    pub fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Waits, and doubles the next wait.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
    }
}

impl Default for RetryPause {
    fn default() -> Self {
        Self::new()
    }
}
