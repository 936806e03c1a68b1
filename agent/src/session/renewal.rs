//! Renewal of the certificate before it expires, and its recovery after it has.

use std::sync::Arc;
use std::time::Duration;

use oml_common::text::error::chain;
use oml_daemon::env::Clock;
use oml_daemon::tls::{self, Fingerprint};
use oml_proto::v1::agent_client::AgentClient;
use oml_proto::v1::enrollment_client::EnrollmentClient;
use oml_proto::v1::{Certificate, RecoverRequest, RenewRequest};
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tracing::{info, warn};

use super::Session;
use super::error::{CALL_TIMEOUT, SessionError, refused};
use super::reason::NoSession;
use crate::config::{ENROLLMENT_PORT, endpoint};
use crate::identity::{HostIdentity, KeyRequest};

/// The shortest pause before a renewal, also after one that succeeded. A failed renewal is
/// tried again after a tenth of the remaining lifetime.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(10);

/// The shortest pause between two recoveries of a refused certificate: a controller that
/// refuses the new one too has another reason.
const RECOVERY_REST: Duration = Duration::from_secs(600);

/// The identity that the session uses now.
pub(super) struct CurrentIdentity {
    pub(super) identity: HostIdentity,
    /// The time since boot at which the certificate arrived; none if it was read from disk.
    received_up_ms: Option<u64>,
    /// The time of the last recovery of an expired or refused certificate.
    recovered: Option<Instant>,
}

impl CurrentIdentity {
    /// Wraps an identity that was read from disk.
    pub(super) fn loaded(identity: HostIdentity) -> Self {
        Self { identity, received_up_ms: None, recovered: None }
    }

    /// Replaces the identity by one that was just issued.
    pub(super) fn take(&mut self, identity: HostIdentity, clock: &Clock) {
        self.identity = identity;
        self.received_up_ms = Some(clock.up_ms());
    }

    /// Returns the age of the certificate, from time since boot if this process received it.
    /// The age of a certificate from disk comes from the clock of the host.
    fn age_ms(&self, clock: &Clock) -> u64 {
        match self.received_up_ms {
            Some(received) => clock.up_ms().saturating_sub(received),
            None => clock.now().since_ms(self.identity.peer.issued),
        }
    }

    fn life_ms(&self) -> u64 {
        self.identity.peer.expires.since_ms(self.identity.peer.issued)
    }

    fn left_ms(&self, clock: &Clock) -> u64 {
        self.life_ms().saturating_sub(self.age_ms(clock))
    }

    /// Returns the milliseconds until the renewal is due.
    pub(super) fn renewal_in_ms(&self, clock: &Clock, random: u32) -> u64 {
        let peer = &self.identity.peer;
        peer.renewal(random).since_ms(peer.issued).saturating_sub(self.age_ms(clock))
    }

    /// Returns true if the certificate has expired by the clock of this host.
    pub(super) fn looks_ended(&self, clock: &Clock) -> bool {
        self.left_ms(clock) == 0
    }

    /// Returns true if enough time has passed since the last recovery to try another one.
    pub(super) fn may_recover(&self) -> bool {
        self.recovered.is_none_or(|at| at.elapsed() >= RECOVERY_REST)
    }
}

impl Session {
    /// Returns the time of the renewal, which is not before `earliest`.
    pub(super) fn renewal(&self, current: &CurrentIdentity, earliest: Instant) -> Instant {
        let due_ms = current.renewal_in_ms(self.env.clock(), self.env.random().spread());
        (Instant::now() + Duration::from_millis(due_ms)).max(earliest)
    }

    /// Requests a certificate for a new key over the connection of the session.
    pub(super) async fn renew(
        &self,
        client: &mut AgentClient<Channel>,
    ) -> Result<HostIdentity, SessionError> {
        let request = KeyRequest::new()?;
        // On disk first: the certificate may arrive and this process end.
        self.files.keep_next_key(&request)?;
        let asked = client.renew(RenewRequest { csr: request.csr.clone() });
        let certificate = answer(timeout(CALL_TIMEOUT, asked).await)?;
        let identity = self.files.keep(&certificate, &request.key_pem)?;
        info!(expires_ms = identity.peer.expires.0, "certificate renewed");
        Ok(identity)
    }

    pub(super) fn after_failed_renewal(
        &self,
        current: &CurrentIdentity,
        error: &SessionError,
    ) -> Duration {
        let left_ms = current.left_ms(self.env.clock());
        warn!(left_ms, error = chain(error), "cannot renew the certificate");
        Duration::from_millis(left_ms / 10).max(RETRY_MIN)
    }

    /// Replaces a certificate that has expired or is refused. The request is signed with its key.
    pub(super) async fn recover(&self, current: &mut CurrentIdentity) -> Result<(), SessionError> {
        warn!("certificate expired or refused; requesting a new one");
        let mut last = SessionError::Ended;
        for address in self.enrollment_endpoints() {
            match self.recover_at(&address, &current.identity).await {
                Ok(certificate) => {
                    self.error.send_replace(None);
                    let key_pem = &current.identity.credentials.key_pem;
                    let given = self.files.keep(&certificate, key_pem)?;
                    current.take(given, self.env.clock());
                    current.recovered = Some(Instant::now());
                    return Ok(());
                }
                Err(error) => {
                    warn!(address, error = chain(&error), "cannot get a new certificate");
                    last = error;
                }
            }
        }
        Err(last)
    }

    /// Reports what an operator has to do if the controller refuses the recovery.
    pub(super) fn report_unrecovered(&self, current: &CurrentIdentity, error: &SessionError) {
        if let SessionError::Refused(status) = error {
            let (message, node) = (status.message().to_owned(), current.identity.node.clone());
            let why = NoSession::NotRecovered { message, node };
            self.error.send_replace(Some(why.to_string()));
        }
    }

    async fn recover_at(
        &self,
        address: &str,
        identity: &HostIdentity,
    ) -> Result<Certificate, SessionError> {
        let ca = tls::certificate(&identity.credentials.ca_pem, "authority's certificate")?;
        let config = Arc::new(tls::enrollment_config(Fingerprint::of(&ca), self.env.clock()));
        let channel = tls::connect(address, config, &self.settings.proxies).await?;
        let ended = tls::certificate(&identity.credentials.certificate_pem, "certificate")?;
        let request = KeyRequest::by(&identity.credentials.key_pem)?;
        let mut client = EnrollmentClient::new(channel);
        let asked =
            client.recover(RecoverRequest { certificate: ended.to_vec(), csr: request.csr });
        answer(timeout(CALL_TIMEOUT, asked).await)
    }

    /// The configured enrolment services, or those beside the controllers.
    fn enrollment_endpoints(&self) -> Vec<String> {
        if !self.settings.enrollment.is_empty() {
            return self.settings.enrollment.clone();
        }
        let hosts = self.settings.controllers.iter().filter_map(|c| c.rsplit_once(':'));
        hosts.filter_map(|(host, _port)| endpoint(host, ENROLLMENT_PORT)).collect()
    }
}

fn answer(
    answered: Result<Result<tonic::Response<Certificate>, Status>, tokio::time::error::Elapsed>,
) -> Result<Certificate, SessionError> {
    match answered {
        Err(_elapsed) => Err(SessionError::Slow),
        Ok(Err(status)) if status.code() == Code::DeadlineExceeded => Err(SessionError::Slow),
        Ok(Err(status)) => Err(refused(status)),
        Ok(Ok(response)) => Ok(response.into_inner()),
    }
}
