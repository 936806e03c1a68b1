//! Whether a reason says already why a start failed, so that it is not said twice.

use super::{InUse, InactiveUnit, LastEnd, Reason};

impl Reason {
    /// Returns true if the reason says that a start failed for this cause.
    pub(super) fn names_failed_start(&self, cause: &str) -> bool {
        if let Self::Unhealthy { probe: inner, .. }
        | Self::Starting { activity: inner, .. }
        | Self::Beside { change: inner, .. } = self
            && inner.names_failed_start(cause)
        {
            return true;
        }
        if let Self::Unit(inactive) | Self::Beside { state: InUse::DoesNotRun(inactive), .. } = self
        {
            return inactive.names_failed_start(cause);
        }
        // A supervisor says it in the place of the probe's result.
        matches!(
            self,
            Self::Probe { detail: said }
                | Self::Starting { detail: said, .. }
                | Self::Unobserved(LastEnd::NotStarted { why: said })
                if said == cause
        )
    }
}

impl InactiveUnit {
    fn names_failed_start(&self, cause: &str) -> bool {
        matches!(
            self,
            Self::Restarting { not_started: Some(said), .. }
                | Self::KeepsEnding { last: LastEnd::NotStarted { why: said }, .. }
                if said == cause
        )
    }
}

#[cfg(test)]
mod tests {
    //! The cause of a failed start is said once.

    use super::*;
    use crate::decide::reconcile::reason::Ends;
    use crate::time::Span;

    fn looping(now: Reason) -> String {
        let not_started = Some("no space".to_owned());
        let (within, printed) = (Span(60_000), Vec::new());
        let ends = Box::new(Ends { times: 3, within, not_started, exit_code: None, printed });
        Reason::CrashLoop { ends, now: Box::new(now) }.to_string()
    }

    #[test]
    fn the_cause_of_a_failed_start_is_said_once() {
        let why = || "no space".to_owned();
        let restarting = InactiveUnit::Restarting { times: 3, not_started: Some(why()) };
        let beside = Reason::Beside {
            change: Box::new(Reason::FirstStart),
            version: None,
            state: InUse::DoesNotRun(restarting.clone()),
        };
        for now in [
            Reason::Unit(restarting),
            Reason::Unobserved(LastEnd::NotStarted { why: why() }),
            Reason::Probe { detail: why() },
            beside,
        ] {
            let text = looping(now);
            assert_eq!(text.matches("no space").count(), 1, "{text}");
        }
        // A text that only holds the same words is about something else.
        for now in [
            Reason::Unit(InactiveUnit::NotRunning),
            Reason::Probe { detail: format!("{} left", why()) },
        ] {
            let text = looping(now);
            assert!(text.contains(", the last start failed: no space; now: "), "{text}");
        }
    }
}
