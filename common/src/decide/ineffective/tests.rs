use super::*;
use crate::decide::observed::Observed;
use crate::decide::reconcile::{Busy, InactiveUnit, Reason};
use crate::document::report::Phase;
use crate::time::Timestamp;

struct Host {
    updates: BTreeMap<ComponentName, InstanceUpdate>,
    busy: BTreeMap<ComponentName, Busy>,
    decisions: BTreeMap<ComponentName, Decision>,
    last_done: BTreeMap<ComponentName, Step>,
}

fn name() -> ComponentName {
    "db".parse().unwrap()
}

impl Host {
    /// A host whose last step was to start the component, and where that step is decided.
    fn new(decided: Step) -> Self {
        let decision = Decision {
            phase: Phase::Starting,
            reason: Reason::Unit(InactiveUnit::NotRunning),
            step: Some(decided),
            beside: None,
            wake_at: None,
        };
        Self {
            updates: BTreeMap::new(),
            busy: BTreeMap::new(),
            decisions: BTreeMap::from([(name(), decision)]),
            last_done: BTreeMap::from([(name(), Step::Start)]),
        }
    }

    fn take(&mut self) -> Vec<IneffectiveStep> {
        let observed = Observed::default();
        let input = reconcile::Input {
            assignment: None,
            observed: &observed,
            updates: &self.updates,
            unreadable: &BTreeMap::new(),
            busy: &self.busy,
            now: Timestamp(10_000),
        };
        take_ineffective(&mut self.decisions, &mut self.last_done, input)
    }
}

#[test]
fn a_step_that_changed_nothing_is_tried_again_ever_more_rarely() {
    let mut host = Host::new(Step::Start);
    let found = host.take().remove(0);
    let reason = Reason::Unit(InactiveUnit::NotRunning);
    assert_eq!((found.step, found.reason), (Step::Start, reason));
    let backoff = found.update.backoff.clone().unwrap();
    assert_eq!(
        backoff.message,
        "its unit is not running; the step start was done and changed nothing"
    );
    assert_eq!(backoff.retry_at, Timestamp(11_000));
    let decision = &host.decisions[&name()];
    assert_eq!((&decision.step, decision.wake_at), (&None, Some(backoff.retry_at)));
    let mut again = Host::new(Step::Start);
    again.updates.insert(name(), found.update);
    assert_eq!(again.take()[0].update.backoff.as_ref().unwrap().retry_at, Timestamp(12_000));
}

#[test]
fn another_step_is_not_the_same_again() {
    let mut host = Host::new(Step::Create);
    assert_eq!(host.take(), []);
    assert!(host.last_done.is_empty());
    assert_eq!(host.decisions[&name()].step, Some(Step::Create));
}

#[test]
fn a_component_that_was_not_looked_at_since_its_step_is_left_for_later() {
    let mut host = Host::new(Step::Start);
    host.busy.insert(name(), Busy { step: Step::Start, bytes: (0, 0) });
    assert_eq!(host.take(), []);
    assert_eq!(host.last_done.get(&name()), Some(&Step::Start));
}
