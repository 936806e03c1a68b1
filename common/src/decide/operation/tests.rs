//! Which operations may run, where, and what is said of the others.

use proptest::prelude::*;

use super::*;
use crate::decide::observed::ContainerState;
use crate::decide::plan::{AgentFacts, Mirrors, NodeFacts};
use crate::document::Verbatim;
use crate::document::operation::{RunOrder, RunOutcome, RunResult};
use crate::document::report::InstanceReport;
use crate::id::{ContentHash, RevisionNumber, RunId};
use crate::testing::{CATALOG, SPEC, nodes, plan_with};

const OPERATIONS: &str = "    operations:
      check: {run: on-demand, means: Checks, command: [check, \"{{ node.name }}\"]}
      reset: {run: on-demand, means: Resets, command: [reset, \"{{ args.user }}\"], args: [user], deadline: 1m}
";

fn catalog() -> String {
    let with =
        |catalog: String, probe: &str| catalog.replace(probe, &format!("{probe}{OPERATIONS}"));
    let catalog = with(CATALOG.to_owned(), "    probe: {check: tcp, port: \"5432\"}\n");
    with(catalog, "    active: {command: [count], before: active call, noun: calls}\n")
}

/// A tenant whose hosts are connected and run what they should.
struct World {
    spec: TenantSpec,
    catalog: Catalog,
    nodes: BTreeMap<NodeName, NodeFacts>,
    plan: Plan,
    reports: BTreeMap<NodeName, InstanceReport>,
    runs: Vec<RunRecord>,
    is_catalog_new: bool,
    is_rolling: bool,
    away: Option<NodeName>,
}

impl World {
    fn new() -> Self {
        let agent = AgentFacts {
            version: "0.2.0".to_owned(),
            features: Feature::ALL.into(),
            platforms: BTreeSet::new(),
            policy: None,
        };
        let nodes: BTreeMap<NodeName, NodeFacts> = nodes()
            .into_iter()
            .map(|(name, facts)| (name, NodeFacts { agent: Some(agent.clone()), ..facts }))
            .collect();
        let plan = plan_with(SPEC, &catalog(), 1).unwrap();
        let ready = |node: &NodeName| (node.clone(), InstanceReport::new(Phase::Ready));
        Self {
            spec: TenantSpec::parse(SPEC).unwrap(),
            catalog: Catalog::parse(&catalog()).unwrap(),
            reports: nodes.keys().map(ready).collect(),
            nodes,
            plan,
            runs: Vec::new(),
            is_catalog_new: false,
            is_rolling: false,
            away: None,
        }
    }

    fn admit(&self, request: &RunRequest) -> Result<AdmittedRun, Problems> {
        let state = |(node, report): (&NodeName, &'_ InstanceReport)| {
            let connected = self.away.as_ref() != Some(node);
            (node.clone(), connected, report.clone())
        };
        let known: Vec<(NodeName, bool, InstanceReport)> = self.reports.iter().map(state).collect();
        let states = known.iter().map(|(node, connected, report)| {
            (node.clone(), NodeState { connected: *connected, instance: Some(report) })
        });
        let planned = plan::Input {
            revision: RevisionNumber(1),
            spec: &self.spec,
            catalog: &self.catalog,
            nodes: &self.nodes,
            mirrors: &Mirrors::default(),
            secrets: &BTreeMap::new(),
            thumbprint: None,
            before: None,
        };
        admit(RunInput {
            request,
            planned,
            plan: &self.plan,
            is_catalog_new: self.is_catalog_new,
            is_rolling: self.is_rolling,
            states: &states.collect(),
            runs: &self.runs,
            now: Timestamp(1_000_000),
        })
    }

    fn refused(&self, request: &RunRequest) -> String {
        self.admit(request).unwrap_err().to_string()
    }
}

fn request(component: &str, operation: &str, node: &str, values: &[(&str, &str)]) -> RunRequest {
    RunRequest {
        component: component.parse().unwrap(),
        operation: operation.parse().unwrap(),
        node: (!node.is_empty()).then(|| node.parse().unwrap()),
        values: values.iter().map(|(k, v)| (k.parse().unwrap(), (*v).to_owned())).collect(),
    }
}

fn record(node: &str, component: &str, asked: u64) -> RunRecord {
    RunRecord {
        id: RunId { epoch: 1, number: 7 },
        component: component.parse().unwrap(),
        operation: "check".parse().unwrap(),
        node: node.parse().unwrap(),
        version: None,
        workload: ContentHash::of(b"workload"),
        who: "ana".to_owned(),
        asked: Timestamp(asked),
        values: BTreeMap::new(),
        deadline_ms: 60_000,
        order: None,
        taken: None,
        result: None,
    }
}

fn result(outcome: RunOutcome) -> RunResult {
    let (started, ended) = (Some(Timestamp(1_000)), Timestamp(4_000));
    RunResult { outcome, started, ended, reason: String::new(), last_lines: Vec::new() }
}

#[test]
fn an_operation_runs_on_the_only_node_of_its_component_with_the_values_of_both() {
    let world = World::new();
    let run = world.admit(&request("db", "reset", "", &[("user", "ana@example.com")])).unwrap();
    assert_eq!(run.node.as_str(), "n1");
    assert_eq!(run.command.command, ["reset", "ana@example.com"]);
    assert_eq!(run.command.deadline_ms, 60_000);
    assert_eq!(run.instance.component.as_str(), "db");
    let run = world.admit(&request("voice", "check", "n3", &[])).unwrap();
    assert_eq!((run.node.as_str(), run.command.command[1].as_str()), ("n3", "n3"));
}

#[test]
fn a_node_is_named_where_several_run_the_component_and_no_other_is_taken() {
    let world = World::new();
    assert_eq!(
        world.refused(&request("voice", "check", "", &[])),
        "node: voice runs on 2 nodes (name one of them: node=n2 or node=n3)"
    );
    assert_eq!(
        world.refused(&request("voice", "check", "n1", &[])),
        "node: n1 (role data) does not run voice, which is for the role voice (it runs on node=n2, node=n3)"
    );
    let found = world.refused(&request("voice", "check", "n4", &[]));
    assert!(found.starts_with("node: n4 is not a node of this tenant"), "{found}");
}

#[test]
fn an_operation_does_not_look_at_components_that_do_not_exist() {
    let catalog = catalog().replace("db_host: \"\"", "db_host: {type: host, default: \"\"}");
    let catalog = catalog.replace("  db:\n", "  db:\n    when: {db_host: \"\"}\n");
    let spec = SPEC.replace("colour: blue", "colour: blue, db_host: db.example");
    let spec = spec.replace("db: \"1\"", "db: {nodes: [nowhere]}");
    let mut world = World::new();
    world.plan = plan_with(&spec, &catalog, 1).unwrap();
    world.spec = TenantSpec::parse(&spec).unwrap();
    world.catalog = Catalog::parse(&catalog).unwrap();
    let run = world.admit(&request("voice", "check", "n2", &[])).unwrap();
    assert_eq!(run.command.command, ["check", "n2"]);
}

#[test]
fn every_mistake_of_a_request_is_reported_at_once() {
    let world = World::new();
    let found = world.refused(&request("db", "reset", "n9", &[("usr", "ana")]));
    for part in ["node: n9 is not a node", "user= is missing", "takes no value of this name"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    assert_eq!(
        world.refused(&request("db", "rest", "", &[])),
        "operation: db has no operation rest in catalog test (did you mean reset?)"
    );
    let found = world.refused(&request("dbs", "reset", "", &[("user", "ana")]));
    assert!(
        found.contains("component: dbs is not a component of this tenant (did you mean db?)"),
        "{found}"
    );
    let found = world.refused(&request("exporter", "reset", "n1", &[]));
    assert!(found.contains("it has none that can be asked for"), "{found}");
}

#[test]
fn a_value_can_be_nothing_but_a_value() {
    let world = World::new();
    for value in ["", "--all", "a b", "a;b", "$(id)", "a\nb", "`id`", "a'b"] {
        let found = world.refused(&request("db", "reset", "", &[("user", value)]));
        assert!(found.contains("is not a value"), "{value:?}: {found}");
    }
}

#[test]
fn what_can_be_asked_for_is_listed_to_one_who_names_no_operation() {
    let world = World::new();
    let problem = |component: &str| {
        no_operation(&world.spec, &world.catalog, &component.parse().unwrap()).to_string()
    };
    assert_eq!(
        problem("db"),
        "operation: no operation is given (it has check (Checks), reset user=VALUE (Resets))"
    );
    assert!(problem("bd").starts_with("component: bd is not a component of this tenant"));
    let unknown = world.refused(&request("db", "vacuum", "", &[]));
    assert!(unknown.contains("(it has check (Checks), reset user=VALUE (Resets))"), "{unknown}");
}

#[test]
fn an_operation_of_another_catalog_than_the_plans_is_refused() {
    let mut world = World::new();
    world.is_catalog_new = true;
    let catalog = &world.catalog.name;
    assert_eq!(
        world.refused(&request("db", "check", "", &[])),
        format!(
            "catalog: catalog {catalog} changed after revision 1, so its operations may not fit \
             what runs (apply the tenant again: omlctl apply -f FILE)"
        )
    );
}

#[test]
fn nothing_runs_beside_an_update_of_what_it_runs_on() {
    let mut world = World::new();
    world.is_rolling = true;
    let check = request("db", "check", "", &[]);
    assert!(world.refused(&check).contains("a rollout is in progress"));
    world.is_rolling = false;
    world.admit(&check).unwrap();
    world.reports.insert("n1".parse().unwrap(), InstanceReport::new(Phase::Preparing));
    assert!(world.refused(&check).contains("db on n1 is being updated"));
    let other = InstanceReport {
        hash: Some(ContentHash::of(b"other")),
        ..InstanceReport::new(Phase::RolledBack)
    };
    world.reports.insert("n1".parse().unwrap(), other);
    assert!(world.refused(&check).contains("runs another version than the plan says"));
}

#[test]
fn a_host_that_cannot_hear_of_a_run_or_do_it_is_named() {
    let mut world = World::new();
    let check = request("db", "check", "", &[]);
    world.away = Some("n1".parse().unwrap());
    assert!(world.refused(&check).contains("n1 is not connected"));
    world.away = None;
    let node = world.nodes.get_mut(&"n1".parse().unwrap()).unwrap();
    let agent = node.agent.as_mut().unwrap();
    agent.features.remove(&Feature::Operations);
    let found = world.refused(&check);
    assert!(found.contains("its agent 0.2.0 does not support operations"), "{found}");
    assert!(found.contains("upgrade the agent on n1"), "{found}");
}

#[test]
fn one_run_of_a_component_at_a_time_and_others_beside_it() {
    let mut world = World::new();
    let check = request("db", "check", "", &[]);
    world.runs = vec![record("n1", "db", 990_000)];
    let found = world.refused(&check);
    assert!(
        found.contains("check of db runs already on n1 as run 1-7, since ana asked for it"),
        "{found}"
    );
    world.admit(&request("voice", "check", "n2", &[])).unwrap();
    world.runs[0].result = Some(result(RunOutcome::Interrupted));
    world.admit(&check).unwrap();
}

#[test]
fn a_run_that_nobody_answers_for_does_not_block_the_next_for_ever() {
    let mut run = record("n1", "db", 0);
    let state = |run: &RunRecord, seconds: u64| RunState::of(run, Timestamp(seconds * 1_000));
    assert_eq!(state(&run, 30), RunState::Waiting);
    assert_eq!(state(&run, 31), RunState::Unanswered);
    assert!(!state(&run, 31).blocks() && !state(&run, 31).is_handed_out());
    run.taken = Some(Timestamp(5_000));
    assert_eq!(state(&run, 600), RunState::Running);
    assert_eq!(state(&run, 666), RunState::Lost);
    run.result = Some(result(RunOutcome::Exited { status: 0 }));
    assert!(matches!(state(&run, 10_000), RunState::Ended(_)));
}

#[test]
fn what_became_of_a_run_is_said_in_a_sentence() {
    let said = |outcome| result(outcome).to_string();
    assert_eq!(said(RunOutcome::Exited { status: 0 }), "succeeded after 3s");
    assert_eq!(
        said(RunOutcome::Exited { status: 137 }),
        "failed: its program ended with status 137 (signal 9) after 3s"
    );
    assert_eq!(said(RunOutcome::DeadlineExceeded), "was stopped at its deadline after 3s");
    let goes_on = RunResult {
        reason: "its container could not be stopped yet: docker does not answer".to_owned(),
        ..result(RunOutcome::DeadlineExceeded)
    };
    assert_eq!(
        goes_on.to_string(),
        "was not over at its deadline after 3s: its container could not be stopped yet: docker \
         does not answer"
    );
    assert!(said(RunOutcome::Interrupted).contains("not repeated by itself"));
    let why = RunResult {
        reason: "no such image".to_owned(),
        started: None,
        ..result(RunOutcome::NotStarted)
    };
    assert_eq!(why.to_string(), "was not started: no such image");
    assert_eq!(
        said(RunOutcome::Unknown),
        "ended in a way that only a later release knows after 3s; upgrade the controller, then the \
         agent of its node"
    );
    assert_eq!(left_out(1), "[1 line left out]");
}

#[test]
fn it_is_known_when_the_state_of_a_run_changes_by_time_alone() {
    let mut run = record("n1", "db", 1_000);
    let changes_at = |run: &RunRecord, now: u64| {
        let then = now + RunState::changes_in_ms(run, Timestamp(now))?;
        let states = [then - 1, then].map(|at| RunState::of(run, Timestamp(at)));
        assert_ne!(states[0], states[1]);
        Some(then)
    };
    assert_eq!(changes_at(&run, 1_000), Some(31_001));
    assert_eq!(changes_at(&run, 31_000), Some(31_001));
    assert_eq!(changes_at(&run, 31_001), None);
    (run.taken, run.deadline_ms) = (Some(Timestamp(5_000)), 10_000);
    assert_eq!(changes_at(&run, 100_000), Some(615_001));
    run.result = Some(result(RunOutcome::Interrupted));
    assert_eq!(changes_at(&run, 100_000), None);
}

#[test]
fn the_oldest_runs_make_room_and_one_that_goes_on_is_kept() {
    let mut runs: Vec<RunRecord> = (0..205).map(|_| record("n1", "db", 0)).collect();
    runs[0].taken = Some(Timestamp(999_000));
    for (number, run) in (0..).zip(&mut runs) {
        run.id.number = number;
    }
    let removed = surplus(&runs, Timestamp(1_000_000));
    let numbers: Vec<u64> = removed.iter().map(|run| run.id.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

fn order(number: u64, component: &str) -> RunOrder {
    let world = World::new();
    let node = if component == "db" { "n1" } else { "n2" };
    let run = world.admit(&request(component, "check", node, &[])).unwrap();
    let operation = "check".parse().unwrap();
    RunOrder { id: RunId { epoch: 1, number }, operation, instance: run.instance, run: run.command }
}

#[test]
fn a_run_whose_container_was_not_started_or_runs_has_not_ended() {
    let exited = ContainerState::Exited { code: 1, at: Timestamp(5), out_of_memory: false };
    assert!(has_ended(None) && has_ended(Some(&exited)));
    let running = ContainerState::Running { since: Timestamp(5) };
    assert!(!has_ended(Some(&ContainerState::Created)) && !has_ended(Some(&running)));
}

#[test]
fn a_run_waits_for_every_run_of_its_component_of_which_no_result_is_known() {
    let unreadable = (RunId { epoch: 1, number: 4 }, HostRun { order: None, result: None });
    let known = BTreeMap::from([
        host_run(order(1, "db"), true),
        host_run(order(2, "db"), false),
        host_run(order(3, "voice"), false),
        unreadable,
    ]);
    let of = |component: &str| -> Vec<u64> {
        may_go_on(&component.parse().unwrap(), &known).map(|id| id.number).collect()
    };
    assert_eq!(of("db"), [2, 4]);
    assert_eq!(of("voice"), [3, 4]);
    assert_eq!(of("exporter"), [4]);
}

fn host_run(order: RunOrder, is_over: bool) -> (RunId, HostRun) {
    let result = is_over.then(|| result(RunOutcome::Exited { status: 0 }));
    (order.id, HostRun { order: Some(Verbatim::seal(order)), result })
}

#[test]
fn a_host_begins_no_run_that_may_have_run_before_or_beside_another() {
    let known =
        BTreeMap::from([host_run(order(7, "db"), true), host_run(order(8, "voice"), false)]);
    assert_eq!(refusal(&order(9, "db"), &known), None);
    assert_eq!(
        refusal(&order(9, "voice"), &known),
        Some(RunRefused::Another(RunId { epoch: 1, number: 8 }))
    );
    assert_eq!(
        refusal(&order(6, "db"), &known),
        Some(RunRefused::Late(RunId { epoch: 1, number: 8 }))
    );
    let unreadable = HostRun { order: None, result: None };
    let known = BTreeMap::from([(RunId { epoch: 1, number: 8 }, unreadable)]);
    let refused = refusal(&order(9, "db"), &known).unwrap();
    assert_eq!(refused, RunRefused::Unreadable(RunId { epoch: 1, number: 8 }));
    let words = "run 1-8 is not over on this host, and its order cannot be read, so it may be of \
                 this component";
    assert_eq!(refused.to_string(), words);
    assert_eq!(
        RunRefused::Another(RunId { epoch: 1, number: 8 }).to_string(),
        "run 1-8 of the component is not over on this host"
    );
}

#[test]
fn a_run_without_a_result_was_interrupted_unless_it_never_began() {
    let now = Timestamp(9);
    let of = |state: Option<ContainerState>| abandoned(state.as_ref(), None, now).outcome;
    assert_eq!(of(Some(ContainerState::Created)), RunOutcome::NotStarted);
    assert_eq!(of(None), RunOutcome::Interrupted);
    assert_eq!(of(Some(ContainerState::Running { since: now })), RunOutcome::Interrupted);
}

proptest! {
    #[test]
    fn no_request_panics_and_none_runs_with_another_value_than_it_was_given(
        component in "[a-z]{1,6}", operation in "[a-z]{1,6}", user in ".{0,20}",
    ) {
        let values = [("user", user.as_str())];
        let world = World::new();
        drop(world.admit(&request(&component, &operation, "", &values)));
        if let Ok(run) = world.admit(&request("db", "reset", "", &values)) {
            prop_assert_eq!(&run.command.command[1], &user);
        }
    }
}

#[test]
fn the_bytes_of_an_order_are_those_that_were_recorded() {
    let sealed = Verbatim::seal(order(7, "db"));
    let read = Verbatim::<RunOrder>::read(sealed.text()).unwrap();
    assert_eq!((read.hash(), read.text()), (sealed.hash(), sealed.text()));
}
