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

use crate::action::{COMPONENTS, Component, SequenceStep, sequence};
use crate::expectation::{Desired, wrong};
use crate::facts::{Facts, observe};
use crate::intent::Intent;

const NODES: &[(&str, &str)] = &[("tiny-one", "app"), ("tiny-two", "app"), ("tiny-three", "app")];
/// The time after the last step within which the host must be as desired, or say why not.
const LIMIT: Duration = Duration::from_secs(60);
/// The time to put a host right between two sequences.
const RESTORE_LIMIT: Duration = Duration::from_secs(180);
/// The time for which the host must stay so, because what is wrong may be done only later.
const HOLD: Duration = Duration::from_secs(10);
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
    while let Some(seed) = plan.take() {
        let steps = sequence(seed)?;
        let mut trial =
            Sequence { fleet, node, host, desired: &desired, intent: Intent::default() };
        let began = Instant::now();
        let outcome = trial.play(&steps);
        let took = began.elapsed().as_secs();
        let words: Vec<String> = steps.iter().map(SequenceStep::to_string).collect();
        let shown = format!("seed {seed} on {node}, {took} s: {}", words.join("; "));
        match outcome {
            Ok(()) => eprintln!("ok: {shown}"),
            Err(error) => {
                add(failures, format!("FAILED: {shown}\n{error:#}\n{}", trial.explained()));
            }
        }
        if let Err(error) = trial.restore() {
            add(failures, format!("not restored after: {shown}\n{error:#}\n{}", trial.explained()));
            trial.install_again().with_context(|| format!("after seed {seed}"))?;
        }
    }
    Ok(())
}

/// Reads the images that the components of a host run when all is well.
fn desired(host: &Host) -> Result<Desired> {
    let facts = observe(host)?;
    let own = COMPONENTS.iter().map(|it| {
        let found = facts.of(*it);
        ensure!(it.container.is_none() || found.is_some(), "{} is missing", it.name);
        Ok(found.map(|found| (found.image.clone(), found.settings.clone())).unwrap_or_default())
    });
    let (images, settings) = own.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok(Desired { images, settings })
}

/// One sequence on one host.
struct Sequence<'a> {
    fleet: &'a Fleet,
    node: &'a str,
    host: &'a Host,
    desired: &'a Desired,
    intent: Intent,
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
        self.intent.before(step);
        let Component { name: component, container, unit, .. } = COMPONENTS[step.on];
        let container = container.unwrap_or("none");
        let other = if step.on == 0 { "oml-second" } else { "oml-first" };
        let is_removal = step.action.effect == crate::action::Effect::RemovesForeign;
        let script = format!(
            "C={container} U={unit} N={component} O={other} X={number} FOREIGN='{}' ONLY={is_removal}\n{GUARD}\n{}",
            self.intent.foreign_ids(),
            step.action.script
        );
        let host = if step.action.on_controller { self.fleet.host(CONTROLLER)? } else { self.host };
        let script = if step.action.on_controller { step.action.script } else { &script };
        let output = host.exec_within(STEP_LIMIT, &["sh", "-c", script])?;
        self.intent.done(step, output.status, &output.stdout);
        let facts = observe(self.host)?;
        self.intent.remember(&facts);
        Ok(())
    }

    /// Waits until the host is as desired, or what is reported about it is true.
    fn settle(&mut self) -> Result<()> {
        self.settle_within(LIMIT)
    }

    fn settle_within(&mut self, limit: Duration) -> Result<()> {
        let what = "the host runs what is desired, or what is reported is true";
        until(what, limit, || self.look().map_err(|error| format!("{error:#}")))?;
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
        let (facts, reported) = self.facts_and_status()?;
        self.intent.remember(&facts);
        let wrong = wrong(&facts, &self.intent, self.desired, &reported);
        ensure!(wrong.is_empty(), wrong.join("\n"));
        Ok(())
    }

    fn facts_and_status(&self) -> Result<(Facts, serde_json::Value)> {
        let reported = node_of(&status(self.fleet)?, self.node);
        Ok((observe(self.host)?, reported))
    }

    /// Undoes what keeps the host from running what is desired, and waits until it does.
    fn restore(&mut self) -> Result<()> {
        let script = format!("FOREIGN='{}'\n{RESTORE}", self.intent.foreign_ids());
        self.host.exec_within(RESTORE_LIMIT, &["sh", "-c", &script])?;
        self.intent = Intent::default();
        self.settle_within(RESTORE_LIMIT)
    }

    /// Removes everything of ours from the host, which the agent must then make again.
    fn install_again(&mut self) -> Result<()> {
        self.host.exec_within(RESTORE_LIMIT, &["sh", "-c", INSTALL_AGAIN])?;
        self.settle_within(RESTORE_LIMIT)
    }

    /// Returns what is shown to an operator, and the last lines of the agent's log.
    fn explained(&self) -> String {
        let tenant = format!("tenant={}", self.fleet.tenant());
        let explained = self.fleet.ctl(&["explain", &tenant]).map(|ended| ended.stdout);
        let log =
            "journalctl -u omlagent -u 'oml-*' --no-pager -o short-precise -n 60; docker ps -a";
        let log = self.host.exec(&["sh", "-c", log]).map(|output| output.stdout);
        format!("{explained:?}\n{}", log.unwrap_or_else(|error| error.to_string()))
    }
}

/// A person takes care not to do to a container of somebody else what is meant for ours.
const GUARD: &str = "\
id=$(docker inspect -f '{{.Id}}' $C 2>/dev/null || echo none)
case \" $FOREIGN \" in
*\" $id \"*) [ $ONLY = true ] || exit 99;;
*) [ $ONLY = false ] || exit 99;;
esac";

const RESTORE: &str = "\
mount -o remount,size=4g /var/lib/docker
systemctl reset-failed
systemctl start docker.socket docker.service omlagent
[ -z \"$FOREIGN\" ] || docker rm -f $FOREIGN
for c in oml-first oml-second; do
  docker unpause $c
  p=$(docker inspect -f '{{.State.Pid}}' $c) && [ $p -gt 0 ] && kill -CONT $p
  docker update --restart=no $c
  rm -rf /etc/systemd/system/$c.service.d
  [ ! -L /etc/systemd/system/$c.service ] || rm /etc/systemd/system/$c.service
  systemctl unmask --runtime $c
done
systemctl unmask prometheus-node-exporter
rm -f /etc/systemd/system/prometheus-node-exporter.service.d/99-hand.conf
systemctl daemon-reload
systemctl start --no-block oml-first oml-second prometheus-node-exporter
docker rmi $(docker images -q copy)
true";

const INSTALL_AGAIN: &str = "\
systemctl stop omlagent oml-first oml-second
docker rm -f $(docker ps -aq)
rm -rf /etc/systemd/system/oml-* /var/lib/omlagent/instances /var/lib/omlagent/updates.json
systemctl daemon-reload
systemctl reset-failed
systemctl start docker.socket docker.service omlagent";
