//! Takes the secrets that the controller sends, and writes those that are not on this host yet.

use oml_common::text::error::chain;
use oml_common::text::secret_text::SecretText;
use oml_proto::v1;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::Session;
use crate::kept_secrets::{self, SentSecret};

/// Reads the secrets of a message. One that this release cannot read is left out: its instance
/// waits for it.
pub(super) fn of_message(secrets: v1::SecretValues) -> Vec<SentSecret> {
    let read = |sent: v1::SecretValue| {
        let v1::SecretValue { name, version, mark, value, mounted } = sent;
        let value = SecretText::read(Zeroizing::new(value));
        match (name.parse(), mark.parse(), value) {
            (Ok(name), Ok(mark), Ok(value)) => {
                Some(SentSecret { name, version, mark, is_mounted: mounted, value })
            }
            (_, _, Err(error)) => {
                warn!(version, %error, "the controller sent a secret that cannot be used");
                None
            }
            (Err(_), _, _) | (_, Err(_), _) => {
                warn!(
                    version,
                    "the controller sent a secret that this release cannot name; upgrade the agent"
                );
                None
            }
        }
    };
    secrets.values.into_iter().filter_map(read).collect()
}

impl Session {
    /// Writes the secrets and tells the loop. Returns them if they cannot be written.
    pub(super) fn keep_secrets(&self, sent: Vec<SentSecret>) -> Option<Vec<SentSecret>> {
        match kept_secrets::write(&self.paths, &sent) {
            Ok(is_new) => {
                if is_new {
                    info!(secrets = sent.len(), "secrets received");
                    self.secrets.send_modify(|written| *written += 1);
                }
                None
            }
            Err(error) => {
                warn!(error = chain(&error), "cannot write the secrets of this host; retrying");
                Some(sent)
            }
        }
    }
}
