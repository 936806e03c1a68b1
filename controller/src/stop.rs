//! How everything that goes on is told that the controller stops.

use tokio::sync::watch;

/// Tells.
#[derive(Debug, Default)]
pub struct Stop {
    told: watch::Sender<bool>,
}

/// Is told.
#[derive(Debug, Clone)]
pub struct Stopping {
    told: watch::Receiver<bool>,
}

impl Stop {
    /// Tells everyone.
    pub fn tell(&self) {
        self.told.send_replace(true);
    }

    /// Returns once everyone who was told has ended.
    pub async fn all_ended(&self) {
        self.told.closed().await;
    }

    /// For one who wants to be told.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping { told: self.told.subscribe() }
    }
}

impl Stopping {
    /// Returns once told, or when there is nobody left to tell.
    pub async fn told(&mut self) {
        // An error says that the other end is gone: that is the end too.
        let _end = self.told.wait_for(|told| *told).await.map(drop);
    }
}
