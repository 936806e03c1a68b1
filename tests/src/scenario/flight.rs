//! One step of an agent on its way: the single effects it is made of, in the
//! order in which the agent has them. An agent can be killed between any two.

use std::collections::VecDeque;

use oml_common::decide::observed::{ActiveState, ContainerState};
use oml_common::decide::reconcile::Step;
use oml_common::decide::update::{Outcome, given_up, nothing};
use oml_common::document::instance::InstanceDocument;
use oml_common::document::report::Failure;
use oml_common::id::{ComponentName, ContentHash};
use oml_common::time::{Span, Timestamp};

use super::behaviour::PULL_MS;
use super::host::{Documents, Host, Moment, Place};

/// A step that is being done.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) component: ComponentName,
    pub(super) step: Step,
    /// What should run; none for a removal.
    pub(super) desired: Option<InstanceDocument>,
    begun: Timestamp,
    effects: VecDeque<Effect>,
    /// When the next effect takes place, unless it waits for systemd.
    due: Timestamp,
    outcome: Option<Outcome>,
}

/// One effect on the host, or one look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Pull,
    Create,
    WriteNext,
    WriteUnit,
    WriteCurrent,
    TurnDocuments,
    TurnDocumentsBack,
    Withdraw,
    Restart,
    AwaitStart,
    Promote,
    Count,
    ReadLastWords,
    RemoveOlder,
    Stop,
    AwaitStop,
    RemoveUnit,
    RemoveContainers,
    RemoveDocuments,
    Record,
}

/// What an effect works with.
pub(super) struct Scene<'a> {
    pub(super) host: &'a mut Host,
    pub(super) moment: Moment<'a>,
}

impl Effect {
    /// What it does, for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Effect::Pull => "pulling the image",
            Effect::Create => "creating the container",
            Effect::WriteNext => "writing the next document",
            Effect::WriteUnit => "writing the unit",
            Effect::WriteCurrent => "writing the document",
            Effect::TurnDocuments => "making the next document the current one",
            Effect::TurnDocumentsBack => "making the previous document the current one",
            Effect::Withdraw => "writing the document of what runs back",
            Effect::Restart => "asking systemd to restart the unit",
            Effect::AwaitStart => "hearing that the start has ended",
            Effect::Promote => "giving the container its name",
            Effect::Count => "counting calls",
            Effect::ReadLastWords => "reading last words",
            Effect::RemoveOlder => "removing older containers",
            Effect::Stop => "asking systemd to stop the unit",
            Effect::AwaitStop => "hearing that the unit has stopped",
            Effect::RemoveUnit => "removing the unit",
            Effect::RemoveContainers => "removing the containers",
            Effect::RemoveDocuments => "removing the documents",
            Effect::Record => "recording the end of the step",
        }
    }

    fn duration_ms(self) -> u64 {
        match self {
            Effect::Pull => PULL_MS,
            Effect::Create | Effect::WriteUnit | Effect::RemoveOlder => 100,
            Effect::Restart | Effect::AwaitStart | Effect::AwaitStop => 0,
            Effect::WriteNext
            | Effect::WriteCurrent
            | Effect::TurnDocuments
            | Effect::TurnDocumentsBack
            | Effect::Withdraw
            | Effect::Promote
            | Effect::Count
            | Effect::ReadLastWords
            | Effect::Stop
            | Effect::RemoveUnit
            | Effect::RemoveContainers
            | Effect::RemoveDocuments
            | Effect::Record => 10,
        }
    }

    fn awaits_systemd(self) -> bool {
        matches!(self, Effect::AwaitStart | Effect::AwaitStop)
    }
}

/// What a step is made of.
fn effects(step: &Step, is_container: bool) -> Vec<Effect> {
    let mut effects = match step {
        Step::Pull => vec![Effect::Pull],
        Step::Create => vec![Effect::Create, Effect::WriteNext, Effect::WriteUnit],
        Step::CountActive => vec![Effect::Count],
        Step::Switch { .. } if is_container => {
            vec![Effect::TurnDocuments, Effect::Restart, Effect::AwaitStart, Effect::Promote]
        }
        Step::Switch { .. } => {
            vec![Effect::TurnDocuments, Effect::WriteUnit, Effect::Restart, Effect::AwaitStart]
        }
        Step::RevertDocument { .. } => vec![Effect::Withdraw],
        Step::RollBack { runs: true, .. } => vec![Effect::Promote],
        Step::RollBack { runs: false, .. } => vec![
            Effect::TurnDocumentsBack,
            Effect::WriteUnit,
            Effect::Restart,
            Effect::AwaitStart,
            Effect::Promote,
        ],
        Step::Fail { .. } => vec![Effect::ReadLastWords],
        Step::Commit { .. } => vec![Effect::RemoveOlder],
        Step::Start => vec![Effect::Restart, Effect::AwaitStart],
        Step::RewriteConfig => vec![Effect::WriteCurrent, Effect::WriteUnit],
        Step::Promote => vec![Effect::Promote],
        Step::Soak => Vec::new(),
        Step::Remove => vec![
            Effect::Stop,
            Effect::AwaitStop,
            Effect::RemoveUnit,
            Effect::RemoveContainers,
            Effect::RemoveDocuments,
        ],
    };
    effects.push(Effect::Record);
    effects
}

impl Flight {
    pub(super) fn begin(
        component: ComponentName,
        step: Step,
        desired: Option<InstanceDocument>,
        now: Timestamp,
    ) -> Self {
        let is_container = desired.as_ref().is_none_or(|instance| instance.container().is_some());
        let effects: VecDeque<Effect> = effects(&step, is_container).into();
        let due = now.plus_ms(effects.front().map_or(0, |effect| effect.duration_ms()));
        Self { component, step, desired, begun: now, effects, due, outcome: None }
    }

    /// The effect that comes now, if one does.
    pub(super) fn due(&self, host: &Host, now: Timestamp) -> Option<Effect> {
        let effect = *self.effects.front()?;
        let is_due = if effect.awaits_systemd() {
            let place = host.places.get(&self.component);
            place.and_then(|place| place.unit.as_ref()).is_none_or(|unit| unit.job.is_none())
        } else {
            self.due <= now
        };
        is_due.then_some(effect)
    }

    /// When its next effect comes by itself.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let effect = self.effects.front()?;
        (!effect.awaits_systemd()).then_some(self.due)
    }

    /// Does the next effect; gives the outcome after the last.
    pub(super) fn advance(&mut self, scene: Scene<'_>) -> Option<Outcome> {
        let now = scene.moment.now;
        let effect = self.effects.pop_front()?;
        if effect == Effect::Record {
            return Some(self.outcome.take().unwrap_or(Outcome::Done));
        }
        self.outcome = self.take_effect(effect, scene);
        if matches!(self.outcome, Some(Outcome::Failed(_) | Outcome::Retry(_))) {
            self.effects.retain(|effect| *effect == Effect::Record);
        }
        self.due = now.plus_ms(self.effects.front().map_or(0, |effect| effect.duration_ms()));
        None
    }

    fn take_effect(&self, effect: Effect, scene: Scene<'_>) -> Option<Outcome> {
        let Scene { host, moment } = scene;
        if effect == Effect::Pull {
            return self.pull(host, moment);
        }
        let place = host.places.entry(self.component.clone()).or_default();
        match effect {
            Effect::Create => place.create(self.desired.as_ref()?, moment.now),
            Effect::WriteNext => place.documents.next.clone_from(&self.desired),
            Effect::WriteCurrent => place.documents.current.clone_from(&self.desired),
            Effect::WriteUnit => place.write_unit(&self.subject(place)?),
            Effect::TurnDocuments => self.turn_documents(place),
            Effect::TurnDocumentsBack => return self.turn_documents_back(place, moment.now),
            Effect::Withdraw => return self.withdraw(place),
            Effect::Restart => place.restart(moment),
            Effect::AwaitStart => return self.started(place, moment.now),
            Effect::Promote => place.promote(&self.subject(place)?),
            Effect::Count => return Some(Outcome::Counted(place.calls.count())),
            Effect::ReadLastWords => return self.given_up(place, moment.now),
            Effect::RemoveOlder => self.remove_older(place),
            Effect::Stop => place.stop(moment),
            Effect::RemoveUnit => place.remove_unit(),
            Effect::RemoveContainers => place.containers.clear(),
            Effect::RemoveDocuments => {
                (place.documents, place.said) = (Documents::default(), None);
            }
            Effect::AwaitStop | Effect::Record | Effect::Pull => {}
        }
        None
    }

    /// The instance that is being started: the desired one, or the one to return to.
    fn subject(&self, place: &Place) -> Option<InstanceDocument> {
        let returns = matches!(self.step, Step::RollBack { .. });
        if returns { place.documents.current.clone() } else { self.desired.clone() }
    }

    fn pull(&self, host: &mut Host, moment: Moment<'_>) -> Option<Outcome> {
        let container = self.desired.as_ref()?.container()?;
        if moment.around.registry_away {
            let image = &container.repository;
            let message = format!("could not pull {image}: the registry does not answer");
            return Some(Outcome::Retry(message));
        }
        host.images.insert(container.digest.clone());
        None
    }

    /// The current document becomes the previous one, if it is to be returned to.
    fn turn_documents(&self, place: &mut Place) {
        let Step::Switch { previous, .. } = &self.step else { return };
        let before = previous.as_ref().and_then(|previous| place.known(previous));
        place.documents.current.clone_from(&self.desired);
        if before.is_some() {
            (place.documents.previous, place.documents.next) = (before, None);
        }
    }

    fn turn_documents_back(&self, place: &mut Place, now: Timestamp) -> Option<Outcome> {
        let Step::RollBack { previous, .. } = &self.step else { return None };
        let found = place.known(previous);
        if found.is_none() {
            return Some(self.failed("what it was made from is not known any more", place, now));
        }
        place.documents.current = found;
        None
    }

    fn withdraw(&self, place: &mut Place) -> Option<Outcome> {
        let Step::RevertDocument { running } = &self.step else { return None };
        let found = place.known(running);
        if found.is_none() {
            let message = "nothing says what it should be".to_owned();
            return Some(Outcome::Retry(message));
        }
        place.documents.current = found;
        None
    }

    fn started(&self, place: &Place, now: Timestamp) -> Option<Outcome> {
        if matches!(place.active(), ActiveState::Active | ActiveState::Reloading) {
            return None;
        }
        let limit_ms = self.desired.as_ref().map_or(0, |i| i.timing.start_timeout_ms);
        let in_time = now.since_ms(self.begun) < limit_ms;
        let message = match self.exit_code(place) {
            Some(code) if in_time => format!("ended with status {code} before it answered"),
            Some(_) => format!("did not answer within {}", Span(limit_ms)),
            None => "did not start".to_owned(),
        };
        if self.step == Step::Start {
            return Some(Outcome::Retry(format!("could not start it: it {message}")));
        }
        Some(self.failed(&message, place, now))
    }

    fn given_up(&self, place: &Place, now: Timestamp) -> Option<Outcome> {
        let Step::Fail { why } = &self.step else { return None };
        Some(self.failed(why, place, now))
    }

    fn failed(&self, message: &str, place: &Place, now: Timestamp) -> Outcome {
        let desired_hash = self.desired.as_ref().map_or_else(nothing, |i| i.workload_hash());
        let version = self.desired.as_ref().and_then(|instance| instance.version().cloned());
        let failure = given_up(desired_hash, version, message.to_owned(), now);
        Outcome::Failed(Failure { exit_code: self.exit_code(place), ..failure })
    }

    /// How the program of the desired workload ended, if it did.
    fn exit_code(&self, place: &Place) -> Option<i64> {
        let desired_hash = self.desired.as_ref()?.workload_hash();
        let container = place.containers.iter().find(|container| container.hash == desired_hash)?;
        match container.state {
            ContainerState::Exited { code, .. } => Some(code),
            ContainerState::Created | ContainerState::Running { .. } => None,
        }
    }

    fn remove_older(&self, place: &mut Place) {
        let of = |instance: &Option<InstanceDocument>| instance.as_ref().map(|i| i.workload_hash());
        let desired_hash = of(&self.desired);
        let written =
            of(&place.documents.previous).filter(|hash| Some(hash) != desired_hash.as_ref());
        let ended = place.containers.iter().filter_map(|container| match container.state {
            ContainerState::Exited { at, .. } if Some(&container.hash) != desired_hash.as_ref() => {
                Some((at, container.hash.clone()))
            }
            ContainerState::Exited { .. }
            | ContainerState::Created
            | ContainerState::Running { .. } => None,
        });
        let keep = [written.or_else(|| ended.max().map(|(_, hash)| hash)), desired_hash];
        let kept = |hash: &ContentHash| keep.iter().flatten().any(|keep| keep == hash);
        place.containers.retain(|container| container.is_running() || kept(&container.hash));
    }
}
