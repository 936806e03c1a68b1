//! Draws the sequence of actions that follows from a seed.

use anyhow::Result;
use oml_daemon::env::Random;

use crate::action::{Action, SequenceStep};
use crate::actions::{GROUPS, PACKAGED_GROUPS};
use crate::component::{COMPONENTS, CONTAINERS_COUNT};

/// The longest sequence.
const STEPS_MAX: u64 = 6;

/// Returns the sequence that follows from a seed.
pub(crate) fn sequence(seed: u64) -> Result<Vec<SequenceStep>> {
    let random = Random::seeded(seed);
    let below = |bound: u64| -> Result<u64> { Ok(u64::from_le_bytes(random.bytes()?) % bound) };
    let pick = |len: usize| -> Result<usize> { Ok(usize::try_from(below(len as u64)?)?) };
    (0..=below(STEPS_MAX)?)
        .map(|_| {
            let on = pick(COMPONENTS.len())?;
            let groups: &[&[Action]] =
                if on < CONTAINERS_COUNT { &GROUPS } else { &PACKAGED_GROUPS };
            let group = groups[pick(groups.len())?];
            let action = group[pick(group.len())?];
            Ok(SequenceStep { action, on, waits: below(3)? == 0 })
        })
        .collect()
}
