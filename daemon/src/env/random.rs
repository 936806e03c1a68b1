//! Randomness, the system's or a test's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct RandomError(#[source] getrandom::Error);

/// Gives random bytes.
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
    /// The system's randomness, good for secrets.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System }
    }

    /// Bytes that follow from `seed`, for tests only. Clones go on where the others are.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { source: Source::Seeded(Arc::new(AtomicU64::new(seed))) }
    }

    /// Fills `bytes` with random values.
    ///
    /// # Errors
    /// [`RandomError`] where the system has none.
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

    /// As many random bytes as are asked for.
    ///
    /// # Errors
    /// [`RandomError`] where the system has none.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A number to spread things with that must not happen everywhere at once; the
    /// middle where the system has no randomness. Never for secrets.
    #[must_use]
    pub fn spread(&self) -> u32 {
        self.bytes().map_or(u32::MAX / 2, u32::from_le_bytes)
    }

    /// A random part of `span`: at least nothing, and less than all of it.
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
