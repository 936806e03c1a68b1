//! Finds out whether two hosts show the identity of one node and claim to be one machine.
//!
//! Every agent names its process. A process that was followed by another has ended, so one
//! that comes back again and again is proof of two hosts.

use oml_common::time::Timestamp;

/// The most processes that are remembered of a node.
const SEEN_MAX: usize = 8;
/// So many returns prove it. One may be a greeting that was late.
const RETURNS_MIN: u32 = 2;
/// Returns that are further apart than this are counted again from one.
const RETURN_WITHIN_MS: u64 = 15 * 60_000;

/// The agent processes that showed the identity of one node.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// The processes in the order in which they came first, each with the address of its host.
    seen: Vec<(String, String)>,
    /// The process that was admitted last.
    current: Option<String>,
    returns: u32,
    last_return: Timestamp,
}

/// The addresses of two hosts that are the same node and machine, in the order in which they
/// came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins {
    pub first: String,
    pub second: String,
    /// Whether the second one greets while the first one is connected.
    pub is_refused: bool,
}

impl Processes {
    /// Records the greeting of a process; one without a name says nothing. Returns the hosts if
    /// there are two.
    pub(super) fn greet(
        &mut self,
        process: &str,
        address: &str,
        is_connected: bool,
        now: Timestamp,
    ) -> Option<Twins> {
        if process.is_empty() || self.current.as_deref() == Some(process) {
            return None;
        }
        let place = |name: &str| self.seen.iter().position(|(seen, _)| seen == name);
        let current = self.current.as_deref().and_then(place);
        let Some((mine, current)) = place(process).zip(current) else {
            self.add(process, address);
            return None;
        };
        if now.since_ms(self.last_return) > RETURN_WITHIN_MS {
            self.returns = 0;
        }
        self.returns = self.returns.saturating_add(1);
        self.last_return = now;
        let is_refused = self.returns >= RETURNS_MIN && is_connected && current < mine;
        if !is_refused {
            self.current = Some(process.to_owned());
        }
        let (first, second) = (mine.min(current), mine.max(current));
        (self.returns >= RETURNS_MIN).then(|| Twins {
            first: self.seen[first].1.clone(),
            second: self.seen[second].1.clone(),
            is_refused,
        })
    }

    fn add(&mut self, process: &str, address: &str) {
        self.seen.retain(|(seen, _)| seen != process);
        if self.seen.len() >= SEEN_MAX {
            self.seen.remove(0);
        }
        self.seen.push((process.to_owned(), address.to_owned()));
        self.current = Some(process.to_owned());
    }
}

#[cfg(test)]
mod tests;
