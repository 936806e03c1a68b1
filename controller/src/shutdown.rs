//! Requests and observes the shutdown of the controller.

use tokio::sync::watch;

/// Requests the shutdown.
#[derive(Debug, Default)]
pub struct Shutdown {
    requested: watch::Sender<bool>,
}

/// Waits for a shutdown request.
#[derive(Debug, Clone)]
pub struct ShutdownSignal {
    requested: watch::Receiver<bool>,
}

impl Shutdown {
    /// Requests the shutdown from everyone who holds a signal.
    pub fn request(&self) {
        self.requested.send_replace(true);
    }

    /// Waits until every signal was dropped, which means that everything has ended.
    pub async fn all_ended(&self) {
        self.requested.closed().await;
    }

    /// Returns a signal for another task.
    #[must_use]
    pub fn signal(&self) -> ShutdownSignal {
        ShutdownSignal { requested: self.requested.subscribe() }
    }
}

impl ShutdownSignal {
    /// Waits until the shutdown is requested, or all senders of the request are gone.
    pub async fn requested(&mut self) {
        // An error means that the other end is gone, which counts as a request.
        let _end = self.requested.wait_for(|requested| *requested).await.map(drop);
    }
}
