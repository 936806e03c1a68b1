//! Which certificates no longer count. Shared by the handshakes, which ask, and
//! by open sessions, which must end when a line is added.

use std::collections::HashMap;

use oml_daemon::tls::{Identity, Peer, Serial};
use tokio::sync::watch;

/// For each identity that lost certificates, the newest one it lost: that one
/// and all older ones are refused. A node that joins again gets a newer one.
#[derive(Debug, Default)]
pub struct Revoked {
    lines: watch::Sender<HashMap<Identity, Serial>>,
}

impl Revoked {
    /// Sets all lines, as the records say.
    pub fn replace(&self, lines: HashMap<Identity, Serial>) {
        self.lines.send_if_modified(|present| {
            let differs = *present != lines;
            *present = lines;
            differs
        });
    }

    /// Adds one line, or moves it up.
    pub fn revoke(&self, identity: Identity, up_to: Serial) {
        self.lines.send_if_modified(|lines| {
            let line = lines.entry(identity).or_insert(Serial(0));
            let is_higher = up_to > *line;
            *line = up_to.max(*line);
            is_higher
        });
    }

    /// Whether a peer's certificate is refused.
    #[must_use]
    pub fn covers(&self, peer: &Peer) -> bool {
        self.lines.borrow().get(&peer.identity).is_some_and(|line| peer.serial <= *line)
    }

    /// Wakes when a line changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<HashMap<Identity, Serial>> {
        self.lines.subscribe()
    }
}
