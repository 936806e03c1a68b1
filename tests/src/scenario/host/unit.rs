//! A unit as systemd and the supervisor behind it would run it: every change
//! of state that comes by itself, with its time.

use oml_common::decide::observed::{ActiveState, ContainerState, Drift, Health, ObservedUnit};
use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::id::ContentHash;
use oml_common::time::Timestamp;

use super::super::behaviour::{
    ANSWER_MS, Behaviour, EXIT_MS, RESTART_PAUSE_MS, STARTS_INTERVAL_MS, STARTS_MAX, STOP_MS,
};
use super::{Moment, Place, Said};

/// A unit that systemd knows.
#[derive(Debug, Clone)]
pub(in super::super) struct Unit {
    /// The instance that our file was written for; none for one of the distribution alone.
    pub(in super::super) text: Option<InstanceDocument>,
    pub(in super::super) active: ActiveState,
    pub(in super::super) result: &'static str,
    since: Timestamp,
    restarts: u32,
    /// It was told to stop, and did.
    stopped: bool,
    pub(in super::super) job: Option<Job>,
    pub(in super::super) next: Option<(Timestamp, Happening)>,
    /// Starts since the counter was last set back.
    starts: Vec<Timestamp>,
}

/// What systemd was asked for and has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Job {
    Restart,
    Stop,
}

/// What comes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Happening {
    /// A program that was told to stop has ended.
    Stopped,
    /// The program answers for the first time.
    Answers,
    /// The program ends by itself.
    Ends,
    /// The program has not answered in time.
    TimesOut,
    /// The program stops answering.
    FallsSilent,
    /// The pause before the next start is over.
    Restarts,
    /// systemd comes to it while the host boots.
    Boots,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            text: None,
            active: ActiveState::Inactive,
            result: "success",
            since: Timestamp(0),
            restarts: 0,
            stopped: false,
            job: None,
            next: None,
            starts: Vec::new(),
        }
    }
}

impl Unit {
    /// A unit that a package brought and started.
    pub(super) fn of_distribution() -> Self {
        Self { active: ActiveState::Active, ..Self::default() }
    }

    pub(super) fn observe(&self, desired: Option<&InstanceDocument>) -> Option<ObservedUnit> {
        let packaged = desired.is_some_and(|instance| instance.container().is_none());
        if self.text.is_none() && !packaged {
            return None;
        }
        let written = self.text.as_ref().map(file_text);
        Some(ObservedUnit {
            hash: written.as_ref().map(|text| ContentHash::of(text.as_bytes())),
            stale: desired.is_some_and(|desired| written != Some(file_text(desired))),
            active: self.active,
            masked: false,
            stopped_by_hand: self.stopped && self.active == ActiveState::Inactive,
            since: self.since,
            restarts: self.restarts,
            result: self.result.to_owned(),
        })
    }

    fn enter(&mut self, active: ActiveState, now: Timestamp) {
        if self.active != active {
            (self.active, self.since) = (active, now);
        }
        self.next = None;
    }

    /// Deliberate starts set systemd's counters back first.
    fn reset(&mut self) {
        self.starts.clear();
        self.restarts = 0;
        self.stopped = false;
    }
}

/// What of an instance is written into its unit file.
fn file_text(instance: &InstanceDocument) -> String {
    let drop_in = match &*instance.workload {
        Workload::Container(_) => "",
        Workload::Unit(unit) => &unit.drop_in,
    };
    format!("{} {:?} {:?} {drop_in}", instance.unit, instance.timing, instance.after)
}

impl Place {
    /// systemd is asked to stop what runs and to start it again.
    pub(in super::super) fn restart(&mut self, moment: Moment<'_>) {
        let Some(unit) = &mut self.unit else { return };
        unit.reset();
        unit.job = Some(Job::Restart);
        self.end_then(moment);
    }

    /// systemd is asked to stop it.
    pub(in super::super) fn stop(&mut self, moment: Moment<'_>) {
        let Some(unit) = &mut self.unit else { return };
        if unit.active == ActiveState::Inactive || unit.active == ActiveState::Failed {
            return;
        }
        unit.job = Some(Job::Stop);
        self.end_then(moment);
    }

    /// Somebody powers the host off and on again.
    pub(in super::super) fn boot(&mut self, moment: Moment<'_>, up_at: Timestamp) {
        self.end_running(137, moment.now);
        self.said = None;
        let Some(unit) = &mut self.unit else { return };
        unit.reset();
        unit.job = None;
        unit.enter(ActiveState::Inactive, moment.now);
        unit.result = "success";
        unit.next = Some((up_at, Happening::Boots));
    }

    /// The program is told to stop; what follows depends on the job.
    fn end_then(&mut self, moment: Moment<'_>) {
        let runs = self.running().is_some();
        let Some(unit) = &mut self.unit else { return };
        if !runs {
            self.stopped(moment);
            return;
        }
        unit.enter(ActiveState::Deactivating, moment.now);
        unit.next = Some((moment.now.plus_ms(STOP_MS), Happening::Stopped));
    }

    /// What was due happens.
    pub(in super::super) fn happen(&mut self, moment: Moment<'_>) {
        let Some((_, happening)) = self.unit.as_mut().and_then(|unit| unit.next.take()) else {
            return;
        };
        match happening {
            Happening::Stopped => self.stopped(moment),
            Happening::Answers => self.answer(moment),
            Happening::Ends => self.fail("ended with exit code 1", 1, None, moment),
            Happening::TimesOut => self.fail("did not answer in time", 143, None, moment),
            Happening::FallsSilent => self.say(Health::Unhealthy, "no answer in 2 s", moment.now),
            Happening::Restarts => {
                if let Some(unit) = &mut self.unit {
                    unit.restarts += 1;
                }
                self.begin(moment);
            }
            Happening::Boots => self.begin(moment),
        }
    }

    fn stopped(&mut self, moment: Moment<'_>) {
        self.end_running(0, moment.now);
        let Some(unit) = &mut self.unit else { return };
        if unit.job == Some(Job::Restart) {
            self.begin(moment);
            return;
        }
        unit.enter(ActiveState::Inactive, moment.now);
        (unit.result, unit.stopped, unit.job) = ("success", true, None);
        if let Some(said) = &mut self.said {
            (said.health, said.since) = (Health::Unhealthy, moment.now);
            said.detail = "stopped".to_owned();
        }
    }

    /// The supervisor starts, and the container by it.
    fn begin(&mut self, moment: Moment<'_>) {
        let now = moment.now;
        let Some(unit) = &mut self.unit else { return };
        unit.starts.retain(|start| now.since_ms(*start) < STARTS_INTERVAL_MS);
        if unit.starts.len() >= STARTS_MAX {
            unit.enter(ActiveState::Failed, now);
            (unit.result, unit.job) = ("start-limit-hit", None);
            return;
        }
        unit.starts.push(now);
        unit.enter(ActiveState::Activating, now);
        let packaged = unit.text.clone().filter(|text| text.container().is_none());
        if packaged.is_some() || unit.text.is_none() {
            unit.enter(ActiveState::Active, now);
            (unit.result, unit.job) = ("success", None);
            return;
        }
        let Some(instance) = self.wanted() else {
            self.fail("no instance document and no container", 1, None, moment);
            return;
        };
        self.hold(&instance, moment);
    }

    fn hold(&mut self, instance: &InstanceDocument, moment: Moment<'_>) {
        let now = moment.now;
        let hash = instance.workload_hash();
        if self.container(&hash).is_none() {
            self.create(instance, now);
            let free = instance.container().map(|c| c.name.to_string());
            let free = free.filter(|own| self.containers.iter().all(|c| &c.name != own));
            if let (Some(own), Some(container)) = (free, self.container(&hash)) {
                container.name = own;
            }
        }
        let Some(container) = self.container(&hash) else { return };
        container.state = ContainerState::Running { since: now };
        let id = container.id.clone();
        let drift = self.said.take().and_then(|said| said.drift);
        self.said = Some(Said {
            hash,
            container: id,
            health: Health::Starting,
            since: now,
            detail: "started".to_owned(),
            drift,
        });
        let next = match moment.around.behaviour(instance) {
            Behaviour::Good | Behaviour::DiesAfter(_) | Behaviour::UnhealthyAfter(_) => {
                (now.plus_ms(ANSWER_MS), Happening::Answers)
            }
            Behaviour::ExitsAtOnce => (now.plus_ms(EXIT_MS), Happening::Ends),
            Behaviour::Hangs => {
                (now.plus_ms(instance.timing.start_timeout_ms), Happening::TimesOut)
            }
        };
        if let Some(unit) = &mut self.unit {
            unit.next = Some(next);
        }
    }

    fn answer(&mut self, moment: Moment<'_>) {
        let now = moment.now;
        self.say(Health::Healthy, "answers", now);
        let instance = self.wanted();
        if let Some(running) = self.running().map(|container| container.hash.clone()) {
            self.answered.insert(running);
        }
        let Some(unit) = &mut self.unit else { return };
        unit.enter(ActiveState::Active, now);
        (unit.result, unit.job) = ("success", None);
        let started = |after_ms: u64| now.plus_ms(after_ms.saturating_sub(ANSWER_MS));
        unit.next = match instance.map(|instance| moment.around.behaviour(&instance)) {
            Some(Behaviour::DiesAfter(ms)) => Some((started(ms), Happening::Ends)),
            Some(Behaviour::UnhealthyAfter(ms)) => Some((started(ms), Happening::FallsSilent)),
            Some(Behaviour::Good | Behaviour::ExitsAtOnce | Behaviour::Hangs) | None => None,
        };
    }

    /// The container ended without systemd having asked: the supervisor ends
    /// with an error, and systemd starts the next one after a pause.
    fn fail(&mut self, words: &str, code: i64, drift: Option<Drift>, moment: Moment<'_>) {
        let now = moment.now;
        self.end_running(code, now);
        self.say(Health::Unhealthy, words, now);
        if let Some(said) = &mut self.said {
            said.drift = drift.or(said.drift.take());
        }
        let Some(unit) = &mut self.unit else { return };
        unit.enter(ActiveState::Activating, now);
        (unit.result, unit.job) = ("exit-code", None);
        unit.next = Some((now.plus_ms(RESTART_PAUSE_MS), Happening::Restarts));
    }

    /// Somebody stopped, killed or removed the running container by the engine's own command.
    pub(in super::super) fn rob(&mut self, deed: &str, code: i64, moment: Moment<'_>) {
        let Some(name) = self.running().map(|container| container.name.clone()) else { return };
        let found = format!("container {name} was {deed}");
        let drift = Drift { at: moment.now, found: found.clone() };
        self.fail(&found, code, Some(drift), moment);
    }

    fn end_running(&mut self, code: i64, now: Timestamp) {
        let running = self.containers.iter_mut().find(|container| container.is_running());
        if let Some(running) = running {
            running.state = ContainerState::Exited { code, at: now, out_of_memory: false };
            self.calls = super::Calls::default();
        }
    }

    fn say(&mut self, health: Health, detail: &str, now: Timestamp) {
        if let Some(said) = &mut self.said {
            if said.health != health {
                (said.health, said.since) = (health, now);
            }
            detail.clone_into(&mut said.detail);
        }
    }
}
