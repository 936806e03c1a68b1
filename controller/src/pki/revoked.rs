//! The revoked certificates. TLS handshakes look them up, and open sessions watch
//! them to end when their own certificate is revoked.

use std::collections::HashMap;

use oml_daemon::tls::{Identity, Peer, Serial};
use tokio::sync::watch;

/// The newest revoked certificate of each identity. That one and all older ones
/// are refused; a node that joins again gets a newer one.
#[derive(Debug, Default)]
pub struct Revoked {
    entries: watch::Sender<HashMap<Identity, Serial>>,
}

impl Revoked {
    /// Replaces all entries with those from the records.
    pub fn replace(&self, entries: HashMap<Identity, Serial>) {
        self.entries.send_if_modified(|present| {
            let differs = *present != entries;
            *present = entries;
            differs
        });
    }

    /// Revokes all certificates of an identity up to this serial number. An entry never
    /// moves to a lower number.
    pub fn revoke(&self, identity: Identity, up_to: Serial) {
        self.entries.send_if_modified(|entries| {
            let line = entries.entry(identity).or_insert(Serial(0));
            let is_higher = up_to > *line;
            *line = up_to.max(*line);
            is_higher
        });
    }

    /// Returns whether a peer's certificate is revoked.
    #[must_use]
    pub fn covers(&self, peer: &Peer) -> bool {
        self.entries.borrow().get(&peer.identity).is_some_and(|line| peer.serial <= *line)
    }

    /// Returns a receiver that wakes when an entry changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<HashMap<Identity, Serial>> {
        self.entries.subscribe()
    }
}
