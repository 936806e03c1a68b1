//! The controller as a value: what it keeps, and what it does with `plan`,
//! `step` and `assign`. Knows of hosts only what their agents report.

use std::collections::BTreeMap;

use oml_common::decide::assign::{self, assign};
use oml_common::decide::diff::{Change, diff};
use oml_common::decide::plan::{self, ImageName, NodeFacts, Plan};
use oml_common::decide::rollout::{self, Begin, NodeView, Rollout, State};
use oml_common::document::assignment::Assignment;
use oml_common::document::catalog::Catalog;
use oml_common::document::report::Report;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{ContentHash, Digest, NodeName, RevisionNumber};
use oml_common::time::Timestamp;

use super::agent::Agent;

const EPOCH: u64 = 1;

/// The one controller.
#[derive(Debug, Clone)]
pub(super) struct Controller {
    catalog: Catalog,
    pub(super) nodes: BTreeMap<NodeName, NodeFacts>,
    pub(super) revisions: Vec<Revision>,
    /// The revision wanted now.
    pub(super) current: RevisionNumber,
    /// The last one whose rollout was completed.
    pub(super) good: Option<RevisionNumber>,
    pub(super) rollout: Option<Rollout>,
    /// What the rollout said last that it waits for.
    pub(super) waits_for: String,
    pub(super) targets: BTreeMap<NodeName, RevisionNumber>,
    pub(super) assignments: BTreeMap<NodeName, Assignment>,
    reports: BTreeMap<NodeName, Report>,
}

/// What an operator asked for.
#[derive(Debug, Clone)]
pub(super) struct Revision {
    pub(super) spec: String,
    pub(super) plan: Plan,
    pub(super) verb: &'static str,
    pub(super) changes: Vec<Change>,
    /// How its rollout ended, if it did.
    pub(super) outcome: Option<State>,
}

/// What a change came to.
pub(super) enum Accepted {
    /// A revision was made.
    Revision(RevisionNumber),
    /// Everything is so already.
    Nothing,
}

/// What a pass did.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Pointers that moved.
    pub(super) moves: Vec<(NodeName, Option<RevisionNumber>, Option<RevisionNumber>)>,
    /// Nodes whose assignment is new.
    pub(super) assigned: Vec<NodeName>,
    /// The rollout entered this state.
    pub(super) entered: Option<State>,
}

impl Controller {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            nodes: BTreeMap::new(),
            revisions: Vec::new(),
            current: RevisionNumber(0),
            good: None,
            rollout: None,
            waits_for: String::new(),
            targets: BTreeMap::new(),
            assignments: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }

    pub(super) fn revision(&self, number: RevisionNumber) -> Option<&Revision> {
        let index = usize::try_from(number.0.checked_sub(1)?).ok()?;
        self.revisions.get(index)
    }

    fn plan_of(&self, number: Option<RevisionNumber>) -> Option<&Plan> {
        self.revision(number?).map(|revision| &revision.plan)
    }

    /// The revision that the next change is made on.
    pub(super) fn base(&self) -> RevisionNumber {
        self.rollout.as_ref().and_then(Rollout::returns_to).unwrap_or(self.current)
    }

    /// Its text.
    pub(super) fn base_spec(&self) -> Option<&str> {
        self.revision(self.base()).map(|revision| revision.spec.as_str())
    }

    /// A host of a name that was used before joins.
    pub(super) fn join(&mut self, node: &NodeName, facts: NodeFacts) {
        self.nodes.insert(node.clone(), facts);
        let held = self.assignments.get_mut(node);
        if let Some(held) = held.filter(|_| !self.targets.contains_key(node)) {
            *held = assign::undecided(held, EPOCH);
        }
    }

    /// A node is removed; what runs on its host is left alone.
    pub(super) fn remove(&mut self, node: &NodeName) -> Option<NodeFacts> {
        self.reports.remove(node);
        self.nodes.remove(node)
    }

    /// Plans a change inside the request and makes it real. `known` are the
    /// digests that need not be asked for.
    pub(super) fn change(
        &mut self,
        verb: &'static str,
        spec_text: String,
        known: &BTreeMap<ImageName, Digest>,
        (registry_away, now): (bool, Timestamp),
    ) -> Result<Accepted, String> {
        let plan = self.plan(&spec_text, known, registry_away)?;
        let before = self.plan_of(Some(self.base()));
        let changes = diff(before, &plan);
        let state = self.rollout.as_ref().map(|rollout| &rollout.state);
        let again = matches!(state, Some(State::Paused { .. } | State::RollingBack { .. }));
        if before.is_some() && changes.is_empty() && !again {
            return Ok(Accepted::Nothing);
        }
        let number = plan.revision;
        self.begin(&plan, now);
        self.current = number;
        self.revisions.push(Revision { spec: spec_text, plan, verb, changes, outcome: None });
        Ok(Accepted::Revision(number))
    }

    fn plan(
        &self,
        spec_text: &str,
        known: &BTreeMap<ImageName, Digest>,
        registry_away: bool,
    ) -> Result<Plan, String> {
        let spec = TenantSpec::parse(spec_text).map_err(|problems| problems.to_string())?;
        // What is wrong with the others is told by `plan`.
        let (images, _told_there) = plan::images(&spec, &self.catalog);
        let mut digests = known.clone();
        for image in images.into_values() {
            if registry_away && !digests.contains_key(&image) {
                return Err(format!("cannot ask for {image}: the registry does not answer"));
            }
            digests.entry(image.clone()).or_insert_with(|| digest_of(&image));
        }
        let revision = RevisionNumber(self.revisions.len() as u64).next();
        let (catalog, nodes) = (&self.catalog, &self.nodes);
        let prepared = plan::prepare(plan::Input { revision, spec: &spec, catalog, nodes });
        let plan = prepared.and_then(|prepared| prepared.finish(&digests));
        plan.map_err(|problems| problems.to_string())
    }

    /// Digests recorded with a revision.
    pub(super) fn digests(&self, number: RevisionNumber) -> BTreeMap<ImageName, Digest> {
        self.plan_of(Some(number)).map(|plan| plan.digests().collect()).unwrap_or_default()
    }

    /// The way from what is good to what is wanted takes the place of any other.
    fn begin(&mut self, to: &Plan, now: Timestamp) {
        let rollout = Rollout::begin(Begin {
            from: self.plan_of(self.good),
            to,
            superseded: self.rollout.as_ref(),
            enrolled: &self.nodes.keys().cloned().collect(),
            now,
        });
        let superseded = self.rollout.replace(rollout);
        if let Some(superseded) = superseded.filter(|rollout| !rollout.is_ended()) {
            self.note_outcome(superseded.to, State::Superseded);
        }
    }

    fn note_outcome(&mut self, number: RevisionNumber, state: State) {
        let index = usize::try_from(number.0.saturating_sub(1)).unwrap_or(usize::MAX);
        if let Some(revision) = self.revisions.get_mut(index) {
            revision.outcome = Some(state);
        }
    }

    /// Keeps what a connected agent says.
    pub(super) fn hear(&mut self, node: &NodeName, report: &Report) {
        self.reports.insert(node.clone(), report.clone());
    }

    /// One look at the rollout, and at every assignment.
    pub(super) fn pass(&mut self, agents: &BTreeMap<NodeName, Agent>, now: Timestamp) -> Passed {
        let mut passed = Passed::default();
        if let Some(next) = self.step(agents, now) {
            for (node, to) in next.moves {
                let from = match to {
                    Some(to) => self.targets.insert(node.clone(), to),
                    None => self.targets.remove(&node),
                };
                passed.moves.push((node, from, to));
            }
            self.waits_for = next.waits_for.to_string();
            let entered = self.rollout.as_ref().is_none_or(|r| r.state != next.rollout.state);
            passed.entered = entered.then(|| next.rollout.state.clone());
            if entered {
                self.conclude(&next.rollout);
            }
            self.rollout = Some(next.rollout);
        }
        passed.assigned = self.assign();
        passed
    }

    fn step(&self, agents: &BTreeMap<NodeName, Agent>, now: Timestamp) -> Option<rollout::Next> {
        let rollout = self.rollout.as_ref()?;
        let hashes: BTreeMap<&NodeName, ContentHash> =
            self.assignments.iter().map(|(node, a)| (node, a.content.share.hash())).collect();
        let view = |name: &NodeName| NodeView {
            connected: agents.get(name).is_some_and(Agent::is_connected),
            assigned: self.assignments.get(name).map(|a| (a.generation, &hashes[name])),
            report: self.reports.get(name),
        };
        let nodes = self.nodes.keys().map(|name| (name.clone(), view(name))).collect();
        Some(rollout::step(rollout::Input {
            rollout,
            targets: &self.targets,
            to: self.plan_of(Some(rollout.to))?,
            from: self.plan_of(rollout.from),
            nodes: &nodes,
            now,
        }))
    }

    fn conclude(&mut self, rollout: &Rollout) {
        match &rollout.state {
            State::Completed => self.good = Some(rollout.to),
            State::RolledBack { .. } => self.current = rollout.from.unwrap_or_default(),
            State::Paused { .. } => {}
            State::Progressing { .. } | State::RollingBack { .. } | State::Superseded => return,
        }
        self.note_outcome(rollout.to, rollout.state.clone());
    }

    fn assign(&mut self) -> Vec<NodeName> {
        let mut assigned = Vec::new();
        let Some(tenant) = self.revisions.first().map(|revision| revision.plan.tenant.clone())
        else {
            return assigned;
        };
        for node in self.nodes.keys() {
            let plan = self.plan_of(self.targets.get(node).copied());
            let held = self.assignments.get(node);
            let anew = self.rollout.as_ref().is_some_and(|r| r.force_reissue(node));
            let input = assign::Input { epoch: EPOCH, tenant: &tenant, node, plan, held, anew };
            if let Some(assignment) = assign(input) {
                self.assignments.insert(node.clone(), assignment);
                assigned.push(node.clone());
            }
        }
        assigned
    }
}

impl Passed {
    /// Whether it did nothing at all.
    pub(super) fn is_idle(&self) -> bool {
        self.moves.is_empty() && self.assigned.is_empty() && self.entered.is_none()
    }
}

/// What the registry says of a tag, made from its name.
fn digest_of(image: &ImageName) -> Digest {
    let hash = ContentHash::of(image.to_string().as_bytes());
    format!("sha256:{hash}").parse().expect("a hash is 64 hexadecimal digits")
}
