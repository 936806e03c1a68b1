//! Plays random sequences on several hosts at once and checks each host after its last step.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use oml_lab::{Host, until};
use oml_tests::field::{SEED, SEQUENCES};
use oml_tests::fleet::{CONTROLLER, Topology, nodes};
use oml_tests::observe::{node_of, now_ms, sh, status};
use oml_tests::trial::lab_name;
use oml_tests::{Build, Fleet, Packages, settings};

use crate::action::{Effect, SequenceStep};
use crate::component::{COMPONENTS, Component};
use crate::desired::Desired;
use crate::draw::sequence;
use crate::expectation::{Wrong, idle, wrong};
use crate::facts::observe;
use crate::intent::Intent;
use crate::record::Record;
use crate::traces::{self, INSTALL_AGAIN, RESTORE, Traces, left};

const NODES: &[(&str, &str)] = &[("tiny-one", "app"), ("tiny-two", "app"), ("tiny-three", "app")];
/// The time after the last step within which the host must be as desired, or say why not.
const LIMIT: Duration = Duration::from_secs(60);
/// The time to put a host right between two sequences, which is tried twice, because a unit that was removed can
/// only be started when the agent has written it again.
const RESTORE_LIMIT: Duration = Duration::from_secs(90);
const INSTALL_LIMIT: Duration = Duration::from_secs(180);
/// The time for which the host must stay so, because what is wrong may be done only later.
const HOLD: Duration = Duration::from_secs(10);
/// The time after which a person gives up waiting for a command, in seconds, and the time for what is around it.
const GIVE_UP_SECONDS: u64 = 60;
const STEP_LIMIT: Duration = Duration::from_secs(90);
/// The number of sequences in a run that asks for none, and the seed of the first: the same ones each time.
const SLICE: u64 = 3;
const SLICE_SEED: u64 = 1;

/// The sequences that are still to be played.
struct Plan {
    next: AtomicU64,
    end: u64,
}

impl Plan {
    /// Reads the numbers that `cargo xtask field` was given.
    fn read() -> Result<Self> {
        let number = |name: &str| -> Result<Option<u64>> {
            let text = std::env::var(name).ok();
            text.map(|text| text.parse().with_context(|| format!("read {name}={text}"))).transpose()
        };
        let (begin, count) = match (number(SEED)?, number(SEQUENCES)?) {
            (Some(seed), count) => (seed, count.unwrap_or(1)),
            (None, Some(count)) => (now_ms()?, count),
            (None, None) => (SLICE_SEED, SLICE),
        };
        Ok(Self { next: AtomicU64::new(begin), end: begin.saturating_add(count) })
    }

    fn take(&self) -> Option<u64> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        (seed < self.end).then_some(seed)
    }
}

/// Plays all sequences and returns an error that shows every one that failed.
pub(crate) fn run_all() -> Result<()> {
    let plan = Plan::read()?;
    let topology =
        Topology { nodes: nodes(NODES), spec: settings::tiny_with_packaged, ..Topology::tiny() };
    let packages = Packages::build(Build::Lab)?;
    let fleet = Fleet::up_or_skip(&lab_name("field"), packages, topology)?;
    let fleet = fleet.context("this machine cannot run a lab any more")?;
    for (node, _) in NODES {
        sh(&fleet, node, SMALL_DISK).with_context(|| format!("give {node} a disk"))?;
    }
    fleet.apply_first_spec()?;
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (node, _) in NODES {
            let (fleet, plan, failures) = (&fleet, &plan, &failures);
            scope.spawn(move || {
                let outcome = play_on(fleet, node, plan, failures);
                if let Err(error) = outcome {
                    add(failures, format!("{node} is given up: {error:#}"));
                }
            });
        }
    });
    let failures = failures.into_inner().map_err(|_| anyhow!("a thread panicked"))?;
    let down = fleet.down();
    ensure!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n\n"));
    down
}

fn add(failures: &Mutex<Vec<String>>, failure: String) {
    eprintln!("{failure}");
    failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(failure);
}

/// The engine's images go to a disk in memory, which can be made full without filling this machine.
const SMALL_DISK: &str = "\
systemctl stop docker.socket docker.service
mount -t tmpfs -o size=4g,mode=710 tmpfs /var/lib/docker
systemctl start docker.socket docker.service
systemctl restart omlagent";

fn play_on(fleet: &Fleet, node: &str, plan: &Plan, failures: &Mutex<Vec<String>>) -> Result<()> {
    let host = fleet.host(node)?;
    let desired = desired(host)?;
    let before = traces::read(host)?;
    while let Some(seed) = plan.take() {
        let steps = sequence(seed)?;
        let (intent, record) = (Intent::default(), Record::default());
        let mut trial =
            Sequence { fleet, node, host, desired: &desired, before: &before, intent, record };
        let began = Instant::now();
        let outcome = trial.play(&steps);
        let took = began.elapsed().as_secs();
        let words: Vec<String> = steps.iter().map(SequenceStep::to_string).collect();
        let shown = format!("seed {seed} on {node}, {took} s: {}", words.join("; "));
        match outcome {
            Ok(()) => eprintln!("ok: {shown}"),
            Err(error) => {
                let again = format!("cargo xtask field --seed {seed}");
                let explained = trial.explained();
                add(failures, format!("FAILED: {shown}\nagain: {again}\n{error:#}\n{explained}"));
            }
        }
        if let Err(error) = trial.restore() {
            add(failures, format!("not restored after: {shown}\n{error:#}\n{}", trial.explained()));
            trial.install_again().with_context(|| format!("after seed {seed}"))?;
        }
    }
    Ok(())
}

/// Reads what the components of a host run when all is well.
fn desired(host: &Host) -> Result<Desired> {
    let facts = observe(host)?;
    let own = COMPONENTS.iter().map(|it| {
        let found = facts.of(*it);
        ensure!(it.container.is_none() || found.is_some(), "{} is missing", it.name);
        Ok(found.map(|found| (found.image.clone(), found.settings.clone())).unwrap_or_default())
    });
    let (images, settings) = own.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok(Desired { images, settings, files: facts.files })
}

/// One sequence on one host.
struct Sequence<'a> {
    fleet: &'a Fleet,
    node: &'a str,
    host: &'a Host,
    desired: &'a Desired,
    /// What was on the host before the first sequence.
    before: &'a Traces,
    intent: Intent,
    record: Record,
}

impl Sequence<'_> {
    fn play(&mut self, steps: &[SequenceStep]) -> Result<()> {
        for (number, step) in steps.iter().enumerate() {
            self.act(number, *step).with_context(|| format!("step {}: {step}", number + 1))?;
            if step.waits {
                self.settle().with_context(|| format!("after step {}: {step}", number + 1))?;
            }
        }
        self.settle().context("after the last step")?;
        self.stays().context("some time after the last step")
    }

    /// Does what a person would. A command that fails is no failure of the test.
    fn act(&mut self, number: usize, step: SequenceStep) -> Result<()> {
        let Component { name: component, container, unit, .. } = COMPONENTS[step.on];
        let container = container.unwrap_or("none");
        let other = if step.on == 0 { "oml-second" } else { "oml-first" };
        let is_removal = step.action.has(Effect::RemovesForeign);
        let script = format!(
            "C={container} U={unit} N={component} O={other} X={number} FOREIGN='{}' ONLY={is_removal}\n{GUARD}\n{}",
            self.intent.foreign_ids(),
            step.action.script
        );
        let host = if step.action.on_controller { self.fleet.host(CONTROLLER)? } else { self.host };
        let script = if step.action.on_controller { step.action.script } else { &script };
        let give_up = GIVE_UP_SECONDS.to_string();
        let began_ms = now_ms()?;
        let output = host.exec_within(STEP_LIMIT, &["timeout", &give_up, "sh", "-c", script])?;
        let ended_ms = now_ms()?;
        self.record.add(step, began_ms, ended_ms, &output);
        self.intent.acted_ms = ended_ms;
        self.intent.done(step, output.status, &output.stdout);
        let facts = observe(self.host)?;
        self.intent.remember(&facts);
        Ok(())
    }

    /// Waits until the host is as desired, or what is reported about it is true.
    fn settle(&mut self) -> Result<()> {
        let what = "the host runs what is desired, or what is reported is true";
        until(what, LIMIT, || self.look().map_err(|error| format!("{error:#}")))?;
        Ok(())
    }

    /// Checks that the host is not wrong again for longer than it takes to put something right.
    fn stays(&mut self) -> Result<()> {
        let began = Instant::now();
        until("the host was right for a while", HOLD + LIMIT, || {
            let is_over = began.elapsed() >= HOLD;
            self.look().map_err(|error| format!("{error:#}"))?;
            if is_over { Ok(()) } else { Err("it is right so far".to_owned()) }
        })?;
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        let wrong = self.wrong()?;
        let shown: Vec<String> = wrong.iter().map(Wrong::to_string).collect();
        ensure!(shown.is_empty(), "\n{}", shown.join("\n"));
        Ok(())
    }

    fn wrong(&mut self) -> Result<Vec<Wrong>> {
        let reported = node_of(&status(self.fleet)?, self.node);
        let facts = observe(self.host)?;
        self.intent.remember(&facts);
        let wrong = wrong(&facts, &self.intent, self.desired, &reported);
        self.intent.hear(&facts, &reported);
        self.record.suspects = wrong.iter().filter_map(|wrong| wrong.component).collect();
        Ok(wrong)
    }

    /// Undoes what keeps the host from running what is desired, and waits until it does and nothing of the
    /// sequence is left.
    fn restore(&mut self) -> Result<()> {
        let wanted = &self.desired.settings[0];
        let foreign = self.intent.foreign_ids();
        let script = format!("FOREIGN='{foreign}' WANTED={wanted}\n{RESTORE}");
        self.reset(&script, RESTORE_LIMIT).or_else(|error| {
            eprintln!("{} is reset once more: {error:#}", self.node);
            self.reset(&script, RESTORE_LIMIT)
        })
    }

    /// Removes everything of ours from the host, which the agent must then make again.
    fn install_again(&mut self) -> Result<()> {
        self.reset(INSTALL_AGAIN, INSTALL_LIMIT)
    }

    fn reset(&mut self, script: &str, limit: Duration) -> Result<()> {
        self.host.exec_within(INSTALL_LIMIT, &["sh", "-c", script])?;
        self.intent = Intent { acted_ms: now_ms()?, ..Intent::default() };
        let what = "the host runs what is desired, and nothing of the sequence is left";
        until(what, limit, || self.look_at_reset().map_err(|error| format!("{error:#}")))?;
        Ok(())
    }

    fn look_at_reset(&mut self) -> Result<()> {
        let mut wrong = self.wrong()?;
        wrong.extend(idle(&observe(self.host)?, self.desired));
        let left = left(self.before, &traces::read(self.host)?);
        let shown = wrong.iter().map(Wrong::to_string).chain(left);
        let shown: Vec<String> = shown.collect();
        ensure!(shown.is_empty(), "\n{}", shown.join("\n"));
        Ok(())
    }

    /// Returns the steps, what is shown to an operator, and the last lines of the logs.
    fn explained(&self) -> String {
        let tenant = format!("tenant={}", self.fleet.tenant());
        let explained = self.fleet.ctl(&["explain", &tenant]);
        let explained = explained.map_or_else(|error| error.to_string(), |ended| ended.stdout);
        let (steps, lines) = (self.record.shown(), self.record.lines(self.host));
        format!("steps:\n{steps}--- omlctl explain\n{explained}\n{lines}")
    }
}

/// A person takes care not to do to a container of somebody else what is meant for ours, and types no more
/// commands to a Docker that gives no answer. It ends with `NOT_TYPED`.
const GUARD: &str = "\
if timeout 5 docker version >/dev/null 2>&1; then
  docker() { timeout 30 docker \"$@\"; }
else
  docker() { return 125; }
fi
id=$(docker inspect -f '{{.Id}}' $C 2>/dev/null || echo none)
case \" $FOREIGN \" in
*\" $id \"*) [ $ONLY = true ] || exit 99;;
*) [ $ONLY = false ] || exit 99;;
esac";
