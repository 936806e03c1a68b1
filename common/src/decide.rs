//! The decisions: pure functions from the desired and the known state to the next actions.
//! Nothing here uses a clock, files, the network or randomness.

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
