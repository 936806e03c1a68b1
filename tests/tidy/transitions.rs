//! The transitions of a rollout, as the functions that decide them make them.
//!
//! A small tenant of two nodes is followed through every order of events: each node
//! may say nothing, run what it was given, or fail with it, before each step of the
//! rollout.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use oml_common::decide::assign::{self, assign};
use oml_common::decide::head::after_change;
use oml_common::decide::plan::{self, NodeFacts};
use oml_common::decide::rollout::{self, Begin, NodeView, step};
use oml_common::document::assignment::{Assignment, Desired};
use oml_common::document::catalog::Catalog;
use oml_common::document::plan::Plan;
use oml_common::document::report::{Failure, HostUsage, InstanceReport, Phase, Report};
use oml_common::document::revision::Head;
use oml_common::document::rollout::{Rollout, State};
use oml_common::document::spec::TenantSpec;
use oml_common::document::status::Health;
use oml_common::id::{Digest, NodeName, RevisionNumber, TenantId};
use oml_common::time::Timestamp;

use crate::diagrams::Edge;

const CATALOG: &str = "\
catalog: test
registry: docker.io/test
components:
  web: {roles: [app], unit: web.service, container: web, image: web, probe: {check: unit-active}}
";

/// The rollouts are followed this many steps; after half of them nothing new comes.
const STEPS_MAX: usize = 12;

const NOW: Timestamp = Timestamp(1_000_000);

/// Returns every transition between two states of a rollout, its start and its ends.
pub(crate) fn of_rollouts() -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for on_failure in ["rollback", "pause"] {
        for has_before in [true, false] {
            follow(&Plans::new(on_failure, has_before), &mut edges);
        }
    }
    edges
}

/// The plans of the revision before, if there is one, and of the wanted revision.
struct Plans {
    from: Option<Plan>,
    to: Plan,
    nodes: BTreeSet<NodeName>,
}

/// The records of the controller and what the nodes report, between two steps.
#[derive(Clone)]
struct World {
    rollout: Rollout,
    targets: BTreeMap<NodeName, RevisionNumber>,
    assignments: BTreeMap<NodeName, Assignment>,
    reports: BTreeMap<NodeName, Report>,
}

/// What a node does before the next step.
#[derive(Clone, Copy)]
enum Event {
    Silence,
    Success,
    Failure,
}

fn follow(plans: &Plans, edges: &mut BTreeSet<Edge>) {
    let begun = World::begin(plans);
    edges.insert(edge("[*]", name(&begun.rollout.state)));
    let mut seen = BTreeSet::new();
    let mut open = vec![begun];
    for _ in 0..STEPS_MAX {
        let mut next = Vec::new();
        for world in open {
            note_ends(&world.rollout, edges);
            for events in pairs() {
                let mut world = world.clone();
                for (node, event) in plans.nodes.iter().zip(events) {
                    world.report(node, event);
                }
                let before = name(&world.rollout.state);
                world.step(plans);
                let after = name(&world.rollout.state);
                if before != after {
                    edges.insert(edge(&before, after));
                }
                if seen.insert(world.key()) {
                    next.push(world);
                }
            }
        }
        open = next;
    }
}

/// Notes that a rollout has ended, or what a later change makes of it.
fn note_ends(rollout: &Rollout, edges: &mut BTreeSet<Edge>) {
    let state = name(&rollout.state);
    if rollout.is_ended() {
        edges.insert(edge(&state, "[*]".to_owned()));
    }
    let head = Head { current: rollout.to, last: rollout.to, good: rollout.from };
    if let (_, Some((_, outcome))) = after_change(Some(head), rollout.to.next(), Some(rollout), NOW)
    {
        edges.insert(edge(&state, name(&outcome.state)));
        edges.insert(edge(&name(&outcome.state), "[*]".to_owned()));
    }
}

impl Plans {
    fn new(on_failure: &str, has_before: bool) -> Self {
        let facts = || NodeFacts {
            roles: [valid("app")].into(),
            address: "10.0.0.1".to_owned(),
            agent: None,
        };
        let nodes: BTreeMap<NodeName, NodeFacts> =
            ["n1", "n2"].map(|name| (valid(name), facts())).into();
        let plan = |version: &str, revision| {
            let spec = format!(
                "tenant: acme\ncatalog: test\ncomponents: {{web: \"{version}\"}}\n\
                 rollout: {{on_failure: {on_failure}}}\n"
            );
            let spec = TenantSpec::parse(&spec).expect("the specification is valid");
            let catalog = &Catalog::parse(CATALOG).expect("the catalog is valid");
            let digest: Digest = valid(&format!("sha256:{}", "0".repeat(64)));
            let revision = RevisionNumber(revision);
            let mirrors = &plan::Mirrors::default();
            let input = plan::Input {
                revision,
                spec: &spec,
                catalog,
                nodes: &nodes,
                mirrors,
                secrets: &BTreeMap::new(),
                thumbprint: None,
                before: None,
            };
            let prepared = plan::prepare(input).expect("it can be planned");
            let images = prepared.images().values();
            let digests = images.map(|image| (image.clone(), digest.clone())).collect();
            prepared.finish(&digests).expect("every image has a digest")
        };
        let from = has_before.then(|| plan("1", 1));
        Self { from, to: plan("2", 2), nodes: nodes.keys().cloned().collect() }
    }

    fn of(&self, revision: RevisionNumber) -> &Plan {
        let from = self.from.as_ref().filter(|from| from.revision == revision);
        from.unwrap_or(&self.to)
    }
}

impl World {
    fn begin(plans: &Plans) -> Self {
        let rollout = Rollout::begin(Begin {
            from: plans.from.as_ref(),
            to: &plans.to,
            superseded: None,
            enrolled: &plans.nodes,
            now: NOW,
        });
        let before = plans.from.iter().map(|from| from.revision);
        let targets =
            before.flat_map(|from| plans.nodes.iter().map(move |n| (n.clone(), from))).collect();
        let (assignments, reports) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { rollout, targets, assignments, reports };
        world.assign(plans);
        for node in &plans.nodes {
            world.report(node, Event::Success);
        }
        world
    }

    fn step(&mut self, plans: &Plans) {
        let hashes: BTreeMap<_, _> =
            self.assignments.iter().map(|(n, a)| (n.clone(), a.content.share.hash())).collect();
        let view = |node: &NodeName| NodeView {
            connected: true,
            assigned: self.assignments.get(node).map(|held| (held.generation, &hashes[node])),
            report: self.reports.get(node),
        };
        let nodes = plans.nodes.iter().map(|node| (node.clone(), view(node))).collect();
        let next = step(rollout::Input {
            rollout: &self.rollout,
            targets: &self.targets,
            to: &plans.to,
            from: plans.from.as_ref(),
            nodes: &nodes,
            now: NOW,
        });
        for (node, target) in next.moves {
            match target {
                Some(target) => self.targets.insert(node, target),
                None => self.targets.remove(&node),
            };
        }
        self.rollout = next.rollout;
        self.assign(plans);
    }

    fn assign(&mut self, plans: &Plans) {
        let tenant: TenantId = valid("acme");
        for node in &plans.nodes {
            let plan = self.targets.get(node).map(|target| plans.of(*target));
            let held = self.assignments.get(node);
            let force_reissue = self.rollout.force_reissue(node);
            let input = assign::Input {
                epoch: 1,
                tenant: &tenant,
                node,
                plan,
                policy: None,
                held,
                force_reissue,
            };
            if let Some(next) = assign(input) {
                self.assignments.insert(node.clone(), next);
            }
        }
    }

    fn report(&mut self, node: &NodeName, event: Event) {
        let Some(held) = self.assignments.get(node) else { return };
        let has_failed = match event {
            Event::Silence => return,
            Event::Success => false,
            Event::Failure => true,
        };
        let instances = &held.content.share.instances;
        let report = Report {
            applied: Some(held.generation),
            revision: held.content.revision,
            at: NOW,
            agent_version: String::new(),
            errors: Vec::new(),
            instances: instances
                .iter()
                .map(|(name, desired)| (name.clone(), instance(desired, has_failed)))
                .collect(),
            host: HostUsage::default(),
        };
        self.reports.insert(node.clone(), report);
    }

    /// Distinguishes this world from every other one.
    fn key(&self) -> String {
        format!("{:?} {:?} {:?}", self.rollout, self.targets, self.reports)
    }
}

fn instance(desired: &Desired, has_failed: bool) -> InstanceReport {
    let hash = desired.instance.workload_hash();
    let failure = has_failed.then(|| Failure {
        hash: hash.clone(),
        version: None,
        at: NOW,
        message: "it ended".to_owned(),
        exit_code: None,
        log_tail: Vec::new(),
    });
    let phase = if has_failed { Phase::Failed } else { Phase::Ready };
    InstanceReport {
        hash: Some(hash),
        health: Health::Healthy,
        failure,
        ..InstanceReport::new(phase)
    }
}

/// Parses a name that is valid.
fn valid<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_invalid| panic!("{text} is valid"))
}

/// Returns every pair of events of the two nodes.
fn pairs() -> Vec<[Event; 2]> {
    let all = [Event::Silence, Event::Success, Event::Failure];
    all.iter().flat_map(|one| all.map(|other| [*one, other])).collect()
}

/// Returns the name of a state's variant.
fn name(state: &State) -> String {
    let shown = format!("{state:?}");
    shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn edge(from: &str, to: String) -> Edge {
    (from.to_owned(), to)
}
