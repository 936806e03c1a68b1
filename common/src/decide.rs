//! The decisions: pure functions from the desired and the known state to the next actions.
//! Nothing here uses a clock, files, the network or randomness.

pub mod adopt;
pub mod assign;
pub mod certificates;
pub mod change;
pub mod crash_loop;
pub mod diff;
pub mod difference;
pub mod drift;
pub mod exit;
pub mod head;
pub mod ineffective;
pub mod lost_update;
pub mod mount;
pub mod observed;
pub mod order;
pub mod own_sockets;
pub mod ownership;
pub mod plan;
pub mod preflight;
pub mod reconcile;
pub mod retention;
pub mod rights;
pub mod rollout;
pub mod schedule;
pub mod slots;
pub mod start;
pub mod status;
pub mod step;
pub mod unhealthy;
pub mod unit_end;
pub mod update;
pub mod verdict;
