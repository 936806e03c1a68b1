//! Sums up refused connections for the log, so that a flood of them does not fill it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// The time over which refusals are summed up.
const PERIOD: Duration = Duration::from_secs(60);
/// The number of addresses that are distinguished within a period.
const ADDRESSES_MAX: usize = 1024;

/// The reason for which a connection was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Its address opens too many connections a second.
    TooFast,
    /// Its handshake was dropped, unfinished, because others needed the place.
    Evicted,
    /// Its handshake was not finished in time.
    TookTooLong,
    /// The handshake failed, or the peer has too many connections, in these words.
    Failed(String),
}

impl Refusal {
    fn kind(&self) -> &'static str {
        match self {
            Self::TooFast => "too many from one address in a second",
            Self::Evicted => "unfinished when others needed the place",
            Self::TookTooLong => "the handshake took too long",
            Self::Failed(_) => "failed",
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFast | Self::Evicted | Self::TookTooLong => f.write_str(self.kind()),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The refusals since the last line in the log.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Option<Instant>,
    reasons: BTreeMap<&'static str, Reason>,
    addresses: HashMap<IpAddr, u64>,
}

#[derive(Debug, Default)]
struct Reason {
    count: u64,
    /// The last refusal for it, in its words.
    last: String,
}

/// The refusals of a minute after the first one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) total: u64,
    /// The address with the most of them, and their number.
    pub(super) most: IpAddr,
    pub(super) from_most: u64,
    /// The numbers by reason, for people.
    pub(super) reasons: String,
}

impl Refusals {
    /// Counts a refusal. Returns true for the first one of a minute, which is logged by itself.
    pub(super) fn note(&mut self, address: IpAddr, refusal: &Refusal, now: Instant) -> bool {
        if self.since.is_none() {
            self.since = Some(now);
            return true;
        }
        let reason = self.reasons.entry(refusal.kind()).or_default();
        reason.count += 1;
        reason.last = refusal.to_string();
        if self.addresses.len() < ADDRESSES_MAX || self.addresses.contains_key(&address) {
            *self.addresses.entry(address).or_default() += 1;
        }
        false
    }

    /// Returns when the summary is due; none if nothing was refused.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + PERIOD)
    }

    /// Ends the minute and returns its summary, unless there was only the first refusal.
    pub(super) fn summary(&mut self) -> Option<Summary> {
        let Self { reasons, addresses, .. } = std::mem::take(self);
        let (most, from_most) =
            addresses.into_iter().max_by_key(|(address, count)| (*count, *address))?;
        let total = reasons.values().map(|reason| reason.count).sum();
        let reasons: Vec<String> =
            reasons.into_iter().map(|(kind, reason)| reason.describe(kind)).collect();
        Some(Summary { total, most, from_most, reasons: reasons.join("; ") })
    }
}

impl Reason {
    fn describe(&self, kind: &str) -> String {
        let Self { count, last } = self;
        match last == kind {
            true => format!("{count} × {kind}"),
            // Failures differ from each other.
            false => format!("{count} × {kind}, the last: {last}"),
        }
    }
}

#[cfg(test)]
mod tests;
