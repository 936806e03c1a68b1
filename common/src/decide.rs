//! What decides: pure functions from what is wanted and what is known to what
//! follows. Nothing here reads a clock, a file, a socket or randomness.

pub mod assign;
pub mod certificates;
pub mod change;
pub mod diff;
pub mod head;
pub mod observed;
pub mod order;
pub mod plan;
pub mod reconcile;
pub mod rollout;
pub mod status;
pub mod update;
pub mod verdict;
