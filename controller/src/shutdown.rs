//! Tells everything that runs that the controller shuts down.

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

    /// Returns once every signal was dropped: everyone has ended.
    pub async fn all_ended(&self) {
        self.requested.closed().await;
    }

    /// A signal for one more task.
    #[must_use]
    pub fn signal(&self) -> ShutdownSignal {
        ShutdownSignal { requested: self.requested.subscribe() }
    }
}

impl ShutdownSignal {
    /// Returns once the shutdown is requested, or when nobody is left who could request it.
    pub async fn requested(&mut self) {
        // An error says that the other end is gone: that is the end too.
        let _end = self.requested.wait_for(|requested| *requested).await.map(drop);
    }
}
