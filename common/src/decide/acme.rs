//! The certificate that a tenant orders from an ACME directory (RFC 8555): when it is ordered, the next step of
//! an order, and what becomes of one that failed.
//!
//! The web servers of the tenant answer every HTTP-01 challenge by themselves: the answer to a token is the token
//! and the thumbprint of the account (RFC 8555 §8.1), which is a part of their files. So nothing is sent to a
//! host for an order, and an order does not wait for hosts.

use crate::document::acme::{AcmeFailure, AcmeGiven, AcmeOrder, AcmeRecord};
use crate::document::rollout::State;
use crate::document::spec::{AcmeSpec, TlsSpec};
use crate::document::tls_facts::TlsFacts;
use crate::document::tls_secret::TlsSecret;
use crate::id::TenantId;
use crate::time::{Span, Timestamp};

use super::tls::{SecretRecords, newest_ordered};

mod order;

pub use self::order::{
    AuthorizationState, AuthorizationView, ChallengeState, OrderState, OrderStep, OrderView,
    order_step,
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// The wait after the first failure; each further one doubles it. So there are four attempts in the first
/// hour: Let's Encrypt refuses a host name after five failed challenges in one.
const BACKOFF_MS_MIN: u64 = 5 * MINUTE_MS;
const BACKOFF_MS_MAX: u64 = DAY_MS;
/// The shortest wait after the directory said that it was asked too often.
const LIMITED_MS_MIN: u64 = HOUR_MS;
/// The longest wait that a directory can ask for.
const RETRY_AFTER_MS_MAX: u64 = 7 * DAY_MS;
/// How long after a certificate was given to the hosts it is given again, if they do not have it: its rollout
/// failed and was undone.
const GIVEN_AGAIN_MS: u64 = DAY_MS;
/// How often a directory is asked about an order in its first minute, and later.
const POLL_MS: u64 = 3_000;
const LATER_POLL_MS: u64 = 30_000;
/// The longest wait between two looks at an order: it ends well before the order is given up.
const POLL_MS_MAX: u64 = HOUR_MS;
/// The age of an order at which it is given up.
const ORDER_AGE_MS_MAX: u64 = DAY_MS;
/// The longest reason of a failure that is kept, in characters.
pub const REASON_CHARS_MAX: usize = 1000;

/// How far ahead of the present a time can be that was written as the present: more than that was written while
/// the clock was ahead.
const AHEAD_MS_MAX: u64 = HOUR_MS;

/// What is known of a tenant when the next step is decided.
#[derive(Debug, Clone, Copy)]
pub struct AcmeInput<'a> {
    pub tls: &'a TlsSpec,
    pub secrets: &'a SecretRecords,
    pub record: &'a AcmeRecord,
    /// The version of the certificate that the present plan names; none if no component uses one.
    pub in_use: Option<u64>,
    /// The state of the tenant's rollout.
    pub rollout: &'a State,
    pub now: Timestamp,
}

/// What is done next for the certificate of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcmeNext {
    /// Nothing, before that time or until something else changes.
    Wait { until: Option<Timestamp>, why: AcmeWait },
    /// The hosts are given this version, which is kept and which they do not have.
    Give { version: u64 },
    /// The order goes on, or begins.
    Order,
    /// This version came of the order, and the record of that was lost.
    Note { version: u64 },
}

/// Why nothing is done for a certificate now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcmeWait {
    /// No component uses it.
    Unused,
    /// The web servers may not answer challenges yet.
    Rollout,
    /// The next change is the operator's.
    Paused,
    /// It is valid for long enough.
    NotDue,
    /// An attempt failed.
    Failed,
}

impl AcmeWait {
    /// Returns what has to happen before a certificate that is due is ordered; none if that is only time.
    #[must_use]
    pub fn waits_for(self) -> Option<&'static str> {
        match self {
            Self::Unused => Some("a component that uses it"),
            Self::Rollout => Some("the end of the rollout"),
            Self::Paused => Some("the next change, because the rollout is paused"),
            Self::NotDue | Self::Failed => None,
        }
    }
}

/// Decides what is done next for the certificate of a tenant.
#[must_use]
pub fn next(input: AcmeInput<'_>) -> AcmeNext {
    let AcmeInput { tls, secrets, record, in_use, rollout, now } = input;
    let wait = |until, why| AcmeNext::Wait { until, why };
    if in_use.is_none() {
        return wait(None, AcmeWait::Unused);
    }
    match rollout {
        State::Progressing { .. } | State::RollingBack { .. } => {
            return wait(None, AcmeWait::Rollout);
        }
        State::Paused { .. } => return wait(None, AcmeWait::Paused),
        State::Completed | State::RolledBack { .. } | State::Superseded => {}
    }
    let ordered = newest_ordered(secrets, tls, now);
    let order = record.order.as_ref().filter(|order| is_honest(order.begun, AHEAD_MS_MAX, now));
    if let (Some((version, _)), Some(order)) = (ordered, order)
        && came_after(secrets, version, order.begun, now)
    {
        return AcmeNext::Note { version };
    }
    if let Some((version, _)) = ordered
        && in_use != Some(version)
    {
        let given = record.given.filter(|given| given.version == version && !record.asked);
        let given = given.filter(|given| is_honest(given.at, AHEAD_MS_MAX, now));
        let again_at = given.map(|given| given.at.plus_ms(GIVEN_AGAIN_MS)).unwrap_or_default();
        let again_at = again_at.max(paced_until(record, now));
        return match now < again_at {
            true => wait(Some(again_at), AcmeWait::Failed),
            false => AcmeNext::Give { version },
        };
    }
    let due = match ordered {
        Some((_, facts)) if !record.asked && order.is_none() => renewed_from(facts),
        Some(_) | None => Timestamp::default(),
    };
    let free = free_from(record, now);
    match now < due.max(free) {
        true if due > free => wait(Some(due), AcmeWait::NotDue),
        true => wait(Some(free), AcmeWait::Failed),
        false => AcmeNext::Order,
    }
}

/// Whether a time is no further ahead than it can be if the clock was right when it was written.
fn is_honest(at: Timestamp, ahead_ms_max: u64, now: Timestamp) -> bool {
    at <= now.plus_ms(ahead_ms_max)
}

/// Returns until when the failures of a tenant keep it from another attempt.
fn paced_until(record: &AcmeRecord, now: Timestamp) -> Timestamp {
    let until = Some(record.not_before);
    until
        .filter(|at| is_honest(*at, with_spread(BACKOFF_MS_MAX, u32::MAX), now))
        .unwrap_or_default()
}

/// Returns when a directory can be asked after the failures of a tenant.
fn free_from(record: &AcmeRecord, now: Timestamp) -> Timestamp {
    let limited = Some(record.limited_until);
    let limited = limited.filter(|at| is_honest(*at, RETRY_AFTER_MS_MAX, now)).unwrap_or_default();
    paced_until(record, now).max(limited)
}

/// Whether a certificate was kept after that time.
fn came_after(secrets: &SecretRecords, version: u64, begun: Timestamp, now: Timestamp) -> bool {
    let record = secrets.get(&TlsSecret::Certificate.name());
    let kept = record.and_then(|record| record.versions.get(&version));
    kept.is_some_and(|kept| kept.at > begun && is_honest(kept.at, AHEAD_MS_MAX, now))
}

/// Returns when the renewal of a certificate begins: when a third of its lifetime is left, and up to a
/// thirtieth earlier. How much earlier follows from its fingerprint, so that certificates that were issued
/// together are not renewed together, and a restart changes nothing.
#[must_use]
pub fn renewed_from(facts: &TlsFacts) -> Timestamp {
    let lifetime_ms = facts.expires.since_ms(facts.valid_from);
    let [a, b, ..] = facts.fingerprint.0;
    let part = u64::from(u16::from_be_bytes([a, b]));
    let spread_ms = (lifetime_ms / 30).saturating_mul(part) >> u16::BITS;
    let early_ms = lifetime_ms / 3 + spread_ms;
    Timestamp(facts.expires.0.saturating_sub(early_ms))
}

/// Whether an order is for what the tenant wants now, and young enough to go on.
#[must_use]
pub fn goes_on(order: &AcmeOrder, tls: &TlsSpec, acme: &AcmeSpec, now: Timestamp) -> bool {
    let names = tls.names.iter().map(|name| name.as_str());
    order.directory == acme.directory
        && names.eq(order.names.iter().map(String::as_str))
        && now.since_ms(order.begun) < ORDER_AGE_MS_MAX
        && is_honest(order.begun, AHEAD_MS_MAX, now)
}

/// Returns how long to wait, in milliseconds, before a directory is asked again about an order that it works
/// on. `wanted_ms` is what it said itself.
#[must_use]
pub fn poll_ms(order: &AcmeOrder, wanted_ms: Option<u64>, now: Timestamp) -> u64 {
    let usual = if now.since_ms(order.begun) < MINUTE_MS { POLL_MS } else { LATER_POLL_MS };
    wanted_ms.map_or(usual, |wanted| wanted.clamp(usual, POLL_MS_MAX))
}

/// A failed attempt to get a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeRefusal {
    /// Why, in the words of the directory where it said why.
    pub reason: String,
    /// Whether the order may still succeed.
    pub keeps_order: bool,
    /// Whether the directory was asked too often.
    pub is_limit: bool,
    /// Whether the directory does not know the account, which is registered again then.
    pub is_unknown: bool,
    /// How long the directory wants to be asked nothing.
    pub retry_after_ms: Option<u64>,
}

impl AcmeRefusal {
    /// Makes the failure of an attempt that ends with its order.
    #[must_use]
    pub fn of_order(reason: String) -> Self {
        let (keeps_order, is_limit, is_unknown) = (false, false, false);
        Self { reason, keeps_order, is_limit, is_unknown, retry_after_ms: None }
    }
}

/// Returns the record after a failed attempt; what an operator asked for is still to be done. `spread` makes the wait up to an eighth longer, so that tenants
/// that failed together do not try together.
#[must_use]
pub fn after_failure(
    record: AcmeRecord,
    refusal: AcmeRefusal,
    now: Timestamp,
    spread: u32,
) -> AcmeRecord {
    let AcmeRefusal { reason, keeps_order, is_limit, is_unknown, retry_after_ms } = refusal;
    let doubled = BACKOFF_MS_MIN.saturating_mul(2_u64.saturating_pow(record.failures));
    let backoff_ms = with_spread(doubled.min(BACKOFF_MS_MAX), spread);
    let wanted_ms = retry_after_ms.map(|wanted| wanted.min(RETRY_AFTER_MS_MAX));
    let limited_ms = match is_limit {
        true => Some(wanted_ms.unwrap_or_default().max(LIMITED_MS_MIN)),
        false => wanted_ms,
    };
    AcmeRecord {
        account: record.account.filter(|_| !is_unknown),
        order: record.order.filter(|_| keeps_order),
        failures: record.failures.saturating_add(1),
        failed: Some(AcmeFailure { at: now, reason }),
        not_before: now.plus_ms(backoff_ms),
        limited_until: limited_ms.map_or(record.limited_until, |wait_ms| now.plus_ms(wait_ms)),
        ..record
    }
}

/// Makes a wait up to an eighth longer.
fn with_spread(wait_ms: u64, spread: u32) -> u64 {
    wait_ms + ((wait_ms / 8).saturating_mul(spread.into()) >> u32::BITS)
}

/// Returns the record after a certificate was given to the hosts.
#[must_use]
pub fn after_giving(record: AcmeRecord, version: u64, now: Timestamp) -> AcmeRecord {
    AcmeRecord {
        order: None,
        failures: 0,
        failed: None,
        not_before: Timestamp::default(),
        limited_until: Timestamp::default(),
        asked: false,
        given: Some(AcmeGiven { version, at: now }),
        ..record
    }
}

/// Returns the record after an operator asked for another certificate. What the directory itself wants is
/// still obeyed.
#[must_use]
pub fn after_asking(record: AcmeRecord) -> AcmeRecord {
    AcmeRecord { asked: true, not_before: Timestamp::default(), ..record }
}

/// Returns the record of a tenant that orders no certificate any more: of the account only.
#[must_use]
pub fn at_rest(record: AcmeRecord) -> AcmeRecord {
    AcmeRecord { account: record.account, ..AcmeRecord::new(record.key, record.thumbprint) }
}

/// Returns a sentence about the last attempt, if that failed, with what to type.
#[must_use]
pub fn failed_line(tenant: &TenantId, record: &AcmeRecord, now: Timestamp) -> Option<String> {
    let AcmeFailure { at, reason } = record.failed.as_ref()?;
    let again_at = free_from(record, now);
    let again = match again_at.since_ms(now) {
        0 => "it is tried again now".to_owned(),
        wait_ms => format!("it is tried again in {}", Span(wait_ms)),
    };
    let ago = Span(now.since_ms(*at));
    Some(format!(
        "no certificate could be ordered for {tenant} {ago} ago: {reason}; {again}, or when you ask for it: \
         omlctl tls renew tenant={tenant}"
    ))
}

#[cfg(test)]
mod tests;
