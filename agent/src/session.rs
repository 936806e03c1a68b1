//! The way to the controller: reports up, assignments down.
//!
//! One writer of the cache and nothing more: the loop works the same without
//! it. Stays with the controller it has and moves on when that one fails.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use oml_common::document::assignment::AssignmentDocument;
use oml_common::document::report::Report;
use oml_common::text::error::chain;
use oml_daemon::env::{Clock, Env, Random};
use oml_daemon::tls::{self, ConnectError, Credentials};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tracing::{info, warn};

use crate::cache::Cache;
use crate::config::Settings;
use crate::identity::{IdentityError, IdentityFiles};

mod link;
mod renewal;
#[cfg(test)]
pub(crate) mod stub;

use self::renewal::{Held, RETRY_MIN};

/// The first pause after a failure is at most this long.
const PAUSE_FIRST_MS: u64 = 500;
/// No pause is longer.
const PAUSE_LONGEST_MS: u64 = 30_000;
/// A session that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(30);

/// The session and what it moves.
pub struct Session {
    pub settings: Arc<Settings>,
    pub files: IdentityFiles,
    /// Where assignments are kept.
    pub cache: Cache,
    /// The host's clock and randomness.
    pub env: Env,
    /// Where assignments go.
    pub assignments: watch::Sender<Option<AssignmentDocument>>,
    pub reports: watch::Receiver<Arc<Report>>,
    pub state: watch::Sender<SessionState>,
    /// What disturbs it, for the report.
    pub trouble: watch::Sender<Option<String>>,
    /// How a controller is reached.
    pub dial: Dial,
}

/// Opens a channel to the controller at an address (`host:port`), by the host's
/// credentials.
pub type Dial = Box<
    dyn Fn(String, Credentials) -> BoxFuture<'static, Result<Channel, DialError>> + Send + Sync,
>;

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The controller cannot be reached, or does not let us in.
    #[error("cannot reach the controller")]
    Connect(#[from] ConnectError),
    /// Certificate and key are of no use.
    #[error("cannot use the host's certificate")]
    Tls(#[from] oml_daemon::tls::TlsError),
}

/// Reaches controllers over mutual TLS, whose certificates must be valid by this clock.
#[must_use]
pub fn dial_over_tls(clock: Clock) -> Dial {
    Box::new(move |endpoint, credentials| {
        let clock = clock.clone();
        Box::pin(async move {
            let config = Arc::new(tls::client_config(&credentials, &clock)?);
            Ok(tls::connect_admitted(&endpoint, config).await?)
        })
    })
}

/// How the session is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionState {
    /// The controller it is connected to.
    pub connected_to: Option<String>,
    /// Sessions begun since the agent started.
    pub sessions: u64,
    /// Sessions that ended by a failure, those that never began among them.
    pub failures: u64,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("cannot reach the controller")]
    Connect(#[from] ConnectError),
    #[error("the controller did not answer in time")]
    Slow,
    #[error("the controller refused: {}", .0.message())]
    Refused(#[source] tonic::Status),
    #[error("the connection was lost")]
    Lost(#[source] tonic::Status),
    #[error("the controller ended the session")]
    Ended,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot use the host's certificate")]
    Tls(#[from] oml_daemon::tls::TlsError),
}

impl SessionError {
    /// Whether the controller does not take our certificate.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Dial(DialError::Connect(error)) | Self::Connect(error) => error.is_refusal(),
            Self::Dial(DialError::Tls(_))
            | Self::Slow
            | Self::Refused(_)
            | Self::Lost(_)
            | Self::Ended
            | Self::Identity(_)
            | Self::Tls(_) => false,
        }
    }
}

/// Why a session is left without a failure.
enum Left {
    /// There is a new certificate to be shown.
    Renewed,
}

impl Session {
    /// Runs until dropped.
    pub async fn run(mut self) {
        let identity = match self.files.load() {
            Ok(Some(identity)) => identity,
            Ok(None) => return self.rest("this host is not enrolled; it works by its cache").await,
            Err(error) => return self.rest(&chain(&error)).await,
        };
        if self.settings.controllers.is_empty() {
            return self.rest("no controllers are configured; it works by its cache").await;
        }
        let mut held = Held::loaded(identity);
        let (mut turn, mut failures) = (0, 0);
        let mut renew_after = Instant::now();
        loop {
            let began = Instant::now();
            let endpoint =
                self.settings.controllers[turn % self.settings.controllers.len()].clone();
            let ended = self.once(&endpoint, &mut held, renew_after).await;
            self.state.send_modify(|state| state.connected_to = None);
            let lasted = began.elapsed();
            match ended {
                Ok(Left::Renewed) => {
                    renew_after = Instant::now() + RETRY_MIN;
                    continue;
                }
                Err(error) => {
                    warn!(endpoint, "no session with {endpoint}: {}", chain(&error));
                    self.state.send_modify(|state| state.failures += 1);
                }
            }
            if lasted >= GOOD {
                failures = 0;
            } else {
                // The next controller in turn, if there is another.
                turn += 1;
            }
            sleep(pause(failures, self.env.random())).await;
            failures += 1;
        }
    }

    /// Without an identity or a controller there is nothing to try again.
    async fn rest(&self, why: &str) {
        info!("no session: {why}");
        self.trouble.send_replace(Some(why.to_owned()));
        pending().await
    }

    /// One session, with another certificate first where the present one looks
    /// ended, or where the controller refuses it: its clock is the one that counts.
    async fn once(
        &mut self,
        endpoint: &str,
        held: &mut Held,
        renew_after: Instant,
    ) -> Result<Left, SessionError> {
        let mut unrecovered = None;
        if held.looks_ended(self.env.clock()) {
            // On failure it is shown all the same: the clock here may be ahead.
            unrecovered = self.recover(held).await.err();
        }
        let refusal = match self.link(endpoint, held, renew_after).await {
            Err(error) if error.is_refusal() => error,
            otherwise => return otherwise,
        };
        if unrecovered.is_none() {
            if !held.may_recover() {
                return Err(refusal);
            }
            warn!(endpoint, "{endpoint} refuses the host's certificate");
            unrecovered = self.recover(held).await.err();
        }
        match unrecovered {
            None => Ok(Left::Renewed),
            Some(error) => {
                self.tell_unrecovered(held, &error);
                Err(error)
            }
        }
    }
}

/// Full jitter: anything up to a bound that doubles, so that hosts that lost
/// their controller together do not come back together.
fn pause(failures: u32, random: &Random) -> Duration {
    let bound_ms = (PAUSE_FIRST_MS << failures.min(10)).min(PAUSE_LONGEST_MS);
    random.jitter(Duration::from_millis(bound_ms))
}

#[cfg(test)]
mod tests;
