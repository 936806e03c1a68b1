//! What the end of a reload makes of an update. The workload stays, and with it the stage.

use crate::decide::step::Step;
use crate::document::update::{InstanceUpdate, ReloadStage};
use crate::time::Timestamp;

use super::Outcome;

impl InstanceUpdate {
    /// Returns the update after a step has ended that may be a reload.
    pub(super) fn after_step(self, step: &Step, outcome: Outcome, now: Timestamp) -> Self {
        let Step::Reload { content, .. } = step else { return self.after(step, outcome, now) };
        let reload = match outcome {
            Outcome::Done => None,
            Outcome::Failed(failure) => {
                Some(ReloadStage::Failed { content: content.clone(), failure })
            }
            // It is begun once more, which does no harm.
            outcome @ (Outcome::Retry(_) | Outcome::Refused(_) | Outcome::Counted(_)) => {
                return self.after(step, outcome, now);
            }
        };
        Self { reload, backoff: None, ..self }
    }
}
