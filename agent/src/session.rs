//! The session with the controller: reports go up, assignments come down.
//!
//! It only writes assignments to the cache: the loop works the same without it. It
//! stays with a controller and goes to the next one when that one fails.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use oml_common::document::assignment::AssignmentDocument;
use oml_common::document::host_policy::FoundPolicy;
use oml_common::document::report::Report;
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use oml_daemon::env::{Clock, Env, Random};
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{self, Credentials};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tracing::{info, warn};

use crate::cache::Cache;
use crate::config::Settings;
use crate::identity::IdentityFiles;
use crate::operations::RunLine;
use crate::paths::Paths;

mod error;
mod facts;
mod link;
mod orders;
mod reason;
mod renewal;
mod secrets;
#[cfg(test)]
pub(crate) mod stub;

pub use self::error::DialError;
use self::error::SessionError;
pub use self::facts::{HostFacts, OwnAddress};
use self::reason::NoSession;
use self::renewal::{CurrentIdentity, RETRY_MIN};

/// The upper bound of the first pause after a failure.
const PAUSE_FIRST_MS: u64 = 500;
/// The upper bound of every pause.
const PAUSE_LONGEST_MS: u64 = 30_000;
/// A session that lasted this long resets the pause between attempts.
const GOOD: Duration = Duration::from_secs(30);

/// The inputs and outputs of the session.
pub struct Session {
    pub settings: Arc<Settings>,
    pub files: IdentityFiles,
    /// Where assignments are kept.
    pub cache: Cache,
    /// The host's clock and randomness.
    pub env: Env,
    /// The name of this process, which no other has: it distinguishes two hosts with one identity.
    pub process: String,
    /// What the host says of itself.
    pub facts: HostFacts,
    /// Where assignments go.
    pub assignments: watch::Sender<Option<AssignmentDocument>>,
    pub reports: watch::Receiver<Arc<Report>>,
    /// Grows when secrets were written.
    pub secrets: watch::Sender<u64>,
    /// Where files of this host are.
    pub paths: Paths,
    pub state: watch::Sender<SessionState>,
    /// What this host allows.
    pub policy: watch::Receiver<FoundPolicy>,
    /// The reason why there is no session, for the report.
    pub error: watch::Sender<Option<String>>,
    /// Where orders to run operations go, and what became of runs.
    pub runs: RunLine,
    /// Opens the connection to a controller.
    pub dial: Dial,
}

/// Opens a channel to the controller at an address (`host:port`), by the host's
/// credentials.
pub type Dial = Box<
    dyn Fn(String, Credentials) -> BoxFuture<'static, Result<Channel, DialError>> + Send + Sync,
>;

/// Reaches controllers over mutual TLS, through the proxies that are for them. Their certificates
/// must be valid by this clock.
#[must_use]
pub fn dial_over_tls(clock: Clock, proxies: Proxies) -> Dial {
    Box::new(move |endpoint, credentials| {
        let (clock, proxies) = (clock.clone(), proxies.clone());
        Box::pin(async move {
            let config = Arc::new(tls::client_config(&credentials, &clock)?);
            Ok(tls::connect_admitted(&endpoint, config, &proxies).await?)
        })
    })
}

/// The state of the session, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionState {
    /// The controller it is connected to.
    pub connected_to: Option<String>,
    /// Sessions begun since the agent started.
    pub sessions: u64,
    /// Sessions that ended by a failure, those that never began among them.
    pub failures: u64,
    /// When the host's certificate expires; none before the host is enrolled.
    pub certificate_expires: Option<Timestamp>,
}

/// Why another session begins at once. No session ends in another way without an error.
enum Next {
    /// The certificate was replaced, and the next session uses the new one.
    Renewed,
    /// The host allows something else, which the agent says in its greeting.
    Policy,
}

impl Session {
    /// Runs until dropped.
    pub async fn run(mut self) {
        let identity = match self.files.load() {
            Ok(Some(identity)) => identity,
            Ok(None) => return self.rest(NoSession::NotEnrolled).await,
            Err(error) => return self.rest(NoSession::Identity(error)).await,
        };
        let expires = Some(identity.peer.expires);
        self.state.send_modify(|state| state.certificate_expires = expires);
        if self.settings.controllers.is_empty() {
            return self.rest(NoSession::NoControllers).await;
        }
        let mut current = CurrentIdentity::loaded(identity);
        let (mut turn, mut failures) = (0, 0);
        let mut renew_after = Instant::now();
        loop {
            let began = Instant::now();
            let endpoint =
                self.settings.controllers[turn % self.settings.controllers.len()].clone();
            let ended = self.once(&endpoint, &mut current, renew_after).await;
            self.state.send_modify(|state| state.connected_to = None);
            let lasted = began.elapsed();
            match ended {
                Ok(Next::Renewed) => {
                    renew_after = Instant::now() + RETRY_MIN;
                    continue;
                }
                Ok(Next::Policy) => {
                    info!(
                        endpoint,
                        "policy or secrets of this host changed; greeting the controller again"
                    );
                    sleep(pause(0, self.env.random())).await;
                    continue;
                }
                Err(error) => {
                    warn!(endpoint, error = chain(&error), "session failed");
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

    /// Never returns: without an identity or a controller no session can begin.
    async fn rest(&self, why: NoSession) {
        info!(reason = %why, "no session");
        self.error.send_replace(Some(why.to_string()));
        pending().await
    }

    /// Runs one session. Asks for another certificate first where the present one looks
    /// expired, or where the controller refuses it: the controller's clock decides.
    async fn once(
        &mut self,
        endpoint: &str,
        current: &mut CurrentIdentity,
        renew_after: Instant,
    ) -> Result<Next, SessionError> {
        let mut unrecovered = None;
        if current.looks_ended(self.env.clock()) {
            // On failure the present one is tried all the same: the clock here may be ahead.
            unrecovered = self.recover(current).await.err();
        }
        let refusal = match self.link(endpoint, current, renew_after).await {
            Err(error) if error.is_refusal() => error,
            otherwise => return otherwise,
        };
        if unrecovered.is_none() {
            if !current.may_recover() {
                return Err(refusal);
            }
            warn!(endpoint, "controller refuses the certificate");
            unrecovered = self.recover(current).await.err();
        }
        match unrecovered {
            None => Ok(Next::Renewed),
            Some(error) => {
                self.report_unrecovered(current, &error);
                Err(error)
            }
        }
    }
}

/// Returns a pause with full jitter: a random time up to a bound that doubles, so that
/// hosts that lost their controller together do not reconnect together.
fn pause(failures: u32, random: &Random) -> Duration {
    let bound_ms = (PAUSE_FIRST_MS << failures.min(10)).min(PAUSE_LONGEST_MS);
    random.jitter(Duration::from_millis(bound_ms))
}

#[cfg(test)]
mod tests;
