//! Sums up refused connections for the log, so that a flood of them does not fill it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// The time over which refusals are summed up.
const PERIOD: Duration = Duration::from_secs(60);
/// The number of addresses that are told apart within a period.
const ADDRESSES_MAX: usize = 1024;

/// The reason for which a connection was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// Its address opens too many connections a second.
    TooFast,
    /// Its handshake was not finished when others needed the place.
    GaveWay,
    /// Its handshake was not finished in time.
    TookTooLong,
    /// The handshake failed, or the peer has too many connections, in these words.
    Failed(String),
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFast => f.write_str("too many from one address in a second"),
            Self::GaveWay => f.write_str("unfinished when others needed the place"),
            Self::TookTooLong => f.write_str("the handshake took too long"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The refusals since the last line in the log.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Option<Instant>,
    reasons: BTreeMap<&'static str, (u64, String)>,
    addresses: HashMap<IpAddr, u64>,
}

impl Refusals {
    /// Counts a refusal. The first one of a period is returned as a line for the log.
    pub(super) fn note(&mut self, ip: IpAddr, refusal: &Refusal, now: Instant) -> Option<String> {
        let kind = match refusal {
            Refusal::TooFast => "too fast",
            Refusal::GaveWay => "gave way",
            Refusal::TookTooLong => "took too long",
            Refusal::Failed(_) => "failed",
        };
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        if is_first {
            return Some(format!("refused a connection from {ip}: {refusal}"));
        }
        let (count, last) = self.reasons.entry(kind).or_default();
        *count += 1;
        *last = refusal.to_string();
        if self.addresses.len() < ADDRESSES_MAX || self.addresses.contains_key(&ip) {
            *self.addresses.entry(ip).or_default() += 1;
        }
        None
    }

    /// The time at which the summary is due; none if nothing was refused.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + PERIOD)
    }

    /// Ends the period. Returns its summary, unless only its first refusal happened.
    pub(super) fn summary(&mut self) -> Option<String> {
        let Self { reasons, addresses, .. } = std::mem::take(self);
        let total: u64 = reasons.values().map(|(count, _)| count).sum();
        let (most, by) = addresses.into_iter().max_by_key(|(address, count)| (*count, *address))?;
        let reasons: Vec<String> =
            reasons.into_values().map(|(count, last)| format!("{count} × {last}")).collect();
        let reasons = reasons.join("; ");
        Some(format!(
            "refused {total} more connections in the last minute, {by} of them from {most}: {reasons}"
        ))
    }
}

#[cfg(test)]
mod tests;
