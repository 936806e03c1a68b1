//! What decides: pure functions from what is wanted and what is known to what
//! follows. Nothing here reads a clock, a file, a socket or randomness.

pub mod adopt;
pub mod assign;
pub mod certificates;
pub mod change;
pub mod diff;
pub mod drift;
pub mod exit;
pub mod head;
pub mod ineffective;
pub mod observed;
pub mod order;
pub mod plan;
pub mod reconcile;
pub mod retention;
pub mod rollout;
pub mod schedule;
pub mod start;
pub mod step;
pub mod update;
pub mod verdict;
