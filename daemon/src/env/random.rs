//! The source of random bytes: the system's, or one of a test.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The error of a system that returns no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct RandomError(#[source] getrandom::Error);

/// A source of random bytes.
#[derive(Clone)]
pub struct Random {
    source: Source,
}

#[derive(Clone)]
enum Source {
    System,
    /// The state of `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>: good enough to
    /// spread what a test does, and the same on every machine.
    Seeded(Arc<AtomicU64>),
}

const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// Returns the system's source, which is fit for secrets.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System }
    }

    /// Makes a source whose bytes follow from `seed`, for tests only. All clones continue
    /// the same sequence.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { source: Source::Seeded(Arc::new(AtomicU64::new(seed))) }
    }

    /// Fills `bytes` with random values.
    ///
    /// # Errors
    /// Returns [`RandomError`] if the system has none.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        match &self.source {
            Source::System => getrandom::fill(bytes).map_err(RandomError),
            Source::Seeded(state) => {
                for chunk in bytes.chunks_mut(8) {
                    let word = split_mix(state).to_le_bytes();
                    chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
                }
                Ok(())
            }
        }
    }

    /// Returns an array of random bytes.
    ///
    /// # Errors
    /// Returns [`RandomError`] if the system has none.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns a number that spreads events over time; the middle of its range if the
    /// system has no randomness. It is not fit for secrets.
    #[must_use]
    pub fn spread(&self) -> u32 {
        self.bytes().map_or(u32::MAX / 2, u32::from_le_bytes)
    }

    /// Returns a random part of `span`, from zero up to but not including all of it.
    #[must_use]
    pub fn jitter(&self, span: Duration) -> Duration {
        let nanoseconds = (span.as_nanos() * u128::from(self.spread())) >> 32;
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

fn split_mix(state: &AtomicU64) -> u64 {
    let z = state.fetch_add(SPLIT_MIX_STEP, Ordering::Relaxed).wrapping_add(SPLIT_MIX_STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.source {
            Source::System => "Random(system)",
            Source::Seeded(_) => "Random(seeded)",
        })
    }
}

#[cfg(test)]
mod tests;
