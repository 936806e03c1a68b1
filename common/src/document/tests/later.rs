//! A later release adds a field to each document of a node: copies of them show what this
//! release then makes of their texts.

use serde::de::DeserializeOwned;

use super::golden::{fixture, pinned};
use super::*;
use crate::document::node::LastReport;
use crate::document::plan::{Plan, Strategy};
use crate::document::report::Phase;
use crate::document::revision::{ChangeKind, Revision, RevisionKind};
use crate::document::rollout::{PauseReason, Rollout, State};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterAssignment {
    version: u32,
    generation: Generation,
    tenant: String,
    node: String,
    content: LaterContent,
    #[serde(default, skip_serializing_if = "is_default")]
    expires_ms: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterContent {
    revision: RevisionNumber,
    #[serde(default, skip_serializing_if = "is_default")]
    policy: Option<LaterPolicy>,
    #[serde(default, skip_serializing_if = "is_default")]
    instances: BTreeMap<String, LaterDesired>,
    #[serde(default, skip_serializing_if = "is_default")]
    labels: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterPlan {
    version: u32,
    tenant: String,
    revision: RevisionNumber,
    strategy: Strategy,
    #[serde(default, skip_serializing_if = "is_default")]
    policy: Option<LaterPolicy>,
    #[serde(default, skip_serializing_if = "is_default")]
    nodes: BTreeMap<String, BTreeMap<String, LaterDesired>>,
    #[serde(default, skip_serializing_if = "is_default")]
    waves: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "is_default")]
    labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterDesired {
    instance: LaterInstance,
    policy: LaterPolicy,
    #[serde(default, skip_serializing_if = "is_default")]
    labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterPolicy {
    soak_ms: u64,
    drain_deadline_ms: u64,
    on_deadline: OnDeadline,
    #[serde(default, skip_serializing_if = "is_default")]
    retries: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterInstance {
    version: u32,
    tenant: String,
    component: String,
    unit: String,
    workload: LaterWorkload,
    #[serde(default, skip_serializing_if = "is_default")]
    after: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    ports: Vec<Port>,
    probe: Probe,
    #[serde(default, skip_serializing_if = "is_default")]
    active: Option<ActiveProbe>,
    timing: Timing,
    #[serde(default, skip_serializing_if = "is_default")]
    restart_unhealthy: RestartUnhealthy,
    #[serde(default, skip_serializing_if = "is_default")]
    metrics: Option<MetricsEndpoint>,
    #[serde(default, skip_serializing_if = "is_default")]
    owner: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum LaterWorkload {
    Container(Box<LaterContainer>),
    Unit(PackagedUnit),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterContainer {
    name: String,
    version: String,
    repository: String,
    digest: String,
    #[serde(default, skip_serializing_if = "is_default")]
    env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    volumes: Vec<Volume>,
    #[serde(default, skip_serializing_if = "is_default")]
    command: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    memory_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pids_limit: PidsLimit,
    #[serde(default, skip_serializing_if = "is_default")]
    may_gain_privileges: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    shared_memory_bytes: Option<u64>,
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn later<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

/// The assignment with every new field set but that of the workload.
fn extended_assignment() -> LaterAssignment {
    let mut assignment: LaterAssignment = later(&write(&assignment()));
    assignment.expires_ms = Some(1);
    assignment.content.labels = vec!["night".to_owned()];
    assignment.content.policy.as_mut().unwrap().retries = Some(3);
    assignment.content.instances.values_mut().for_each(extend);
    assignment
}

fn extend(desired: &mut LaterDesired) {
    desired.labels = vec!["night".to_owned()];
    desired.policy.retries = Some(3);
    desired.instance.owner = "voice team".to_owned();
}

/// Sets the new field of the container's workload.
fn ask_for_shared_memory(desired: &mut LaterDesired) {
    if let LaterWorkload::Container(container) = &mut desired.instance.workload {
        container.shared_memory_bytes = Some(1);
    }
}

fn hash_of(value: &impl Serialize) -> ContentHash {
    ContentHash::of(json(value).as_bytes())
}

fn assert_moves_nothing<T: Serialize + DeserializeOwned>(kind: &str) {
    for file in [format!("{kind}.json"), format!("{kind}_minimal.json")] {
        let value: T = later(&fixture(&file));
        assert_eq!(json(&value), fixture(&file), "{file}");
        assert_eq!(Some(hash_of(&value).as_str()), pinned(&file), "{file}");
    }
}

#[test]
fn a_field_that_holds_its_default_moves_no_hash() {
    assert_moves_nothing::<LaterInstance>("instance");
    assert_moves_nothing::<LaterAssignment>("assignment");
    assert_moves_nothing::<LaterPlan>("plan");
    let written: LaterInstance = later(Verbatim::seal(full()).text());
    assert_eq!(hash_of(&written.workload), full().workload_hash());
    let written: LaterAssignment = later(&write(&assignment()));
    let read: Assignment = read(&json(&written)).unwrap();
    assert_eq!(read.content.share.hash(), share().hash());
}

#[test]
fn new_fields_beside_a_workload_are_read_over_and_passed_on() {
    let sent = extended_assignment();
    let read = Verbatim::<Assignment>::read(&json(&sent)).unwrap();
    let share = &read.content.share;
    assert_eq!((share.instances.len(), share.unreadable.len()), (2, 0));
    assert_eq!(json(share), json(&sent.content.instances));
    assert_eq!(json(&read), json(&sent));
    for (name, sent) in &sent.content.instances {
        let held = &share.instances[&name.parse().unwrap()];
        assert_eq!(held.hash(), &hash_of(sent));
        assert_eq!(held.instance.hash(), &hash_of(&sent.instance));
        assert_eq!(held.instance.workload_hash(), hash_of(&sent.instance.workload));
    }
}

#[test]
fn new_fields_of_a_plan_reach_the_assignment_with_its_shares() {
    let mut sent: LaterPlan = later(&fixture("plan.json"));
    sent.labels = vec!["night".to_owned()];
    sent.policy.as_mut().unwrap().retries = Some(3);
    sent.nodes.values_mut().flat_map(BTreeMap::values_mut).for_each(extend);
    let read: Plan = read(&json(&sent)).unwrap();
    assert_eq!(read.nodes.len(), sent.nodes.len());
    for (node, share) in &read.nodes {
        assert!(share.unreadable.is_empty());
        let policy = read.policy.clone();
        let content = Content { revision: read.revision, policy, share: share.clone() };
        let given = write(&Assignment { content, ..assignment() });
        let given: LaterAssignment = later(&given);
        assert_eq!(given.content.instances, sent.nodes[node.as_str()]);
        assert_eq!(given.content.policy, sent.policy);
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_passed_on_and_refuses_nothing() {
    let mut plan: serde_json::Value = serde_json::from_str(&fixture("plan.json")).unwrap();
    plan["policy"]["on_deadline"] = "ask".into();
    let read: Plan = read(&plan.to_string()).unwrap();
    assert_eq!(read.policy.as_ref().unwrap().value(), None);
    let content = Content { policy: read.policy, ..assignment().content };
    let given = write(&Assignment { content, ..assignment() });
    let given: serde_json::Value = serde_json::from_str(&given).unwrap();
    assert_eq!(given["content"]["policy"], plan["policy"]);
}

/// Returns the text of a fixture with another word.
fn with_word(file: &str, from: &str, to: &str) -> String {
    let text = fixture(file);
    let later = text.replace(from, to);
    assert_ne!(text, later, "{file}");
    later
}

#[test]
fn a_word_that_decides_nothing_is_unknown() {
    let text = with_word("revision.json", "\"kind\":\"set-version\"", "\"kind\":\"promote\"");
    let text = text.replace("\"kind\":\"remove\"", "\"kind\":\"move\"");
    let revision: Revision = read(&text).unwrap();
    assert_eq!(
        (revision.kind, revision.changes[1].kind),
        (RevisionKind::Unknown, ChangeKind::Unknown)
    );
    let text = with_word(
        "rollout.json",
        "\"why\":{\"name\":\"rollback-failed\"",
        "\"why\":{\"name\":\"frozen\"",
    );
    let rollout: Rollout = read(&text).unwrap();
    assert_eq!(rollout.state, State::Paused { why: PauseReason::Unknown, returning: true });
    let text =
        with_word("last_report.json", "{\"name\":\"draining\"", "{\"name\":\"handing-over\"");
    let last: LastReport = read(&text).unwrap();
    assert_eq!(last.report.instances[&"asterisk".parse().unwrap()].phase, Phase::Unknown);
}

#[test]
fn a_word_that_decides_is_refused_as_one_of_a_later_release() {
    let text = with_word("rollout.json", "{\"name\":\"paused\"", "{\"name\":\"parked\"");
    let refused = read::<Rollout>(&text).unwrap_err().of_later_release().unwrap();
    assert!(refused.contains("parked"), "{refused}");
    let text = with_word("plan.json", "\"on_failure\":\"rollback\"", "\"on_failure\":\"ask\"");
    assert!(read::<Plan>(&text).unwrap_err().of_later_release().is_some());
    let text = with_word("instance.json", "sip-options", "carrier-pigeon");
    assert!(read::<Instance>(&text).unwrap_err().of_later_release().is_some());
}

#[test]
fn a_damaged_text_is_not_one_of_a_later_release() {
    let whole = fixture("plan.json");
    for text in [&whole[..whole.len() / 2], "", "{}", "\u{0}"] {
        assert_eq!(read::<Plan>(text).unwrap_err().of_later_release(), None, "{text:?}");
    }
}

#[test]
fn a_new_field_of_a_workload_holds_that_instance_and_no_other() {
    let mut sent = extended_assignment();
    sent.content.instances.values_mut().for_each(ask_for_shared_memory);
    let read = Verbatim::<Assignment>::read(&json(&sent)).unwrap();
    let share = &read.content.share;
    assert_eq!(share.instances.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["exporter"]);
    let held = &share.unreadable[&"asterisk".parse().unwrap()];
    assert!(held.why.contains("shared_memory_bytes"), "{}", held.why);
    let workload = &sent.content.instances["asterisk"].instance.workload;
    assert_eq!(held.workload_hash(), Some(hash_of(workload)));
    // It is passed on in its bytes and still counts as something that should run.
    assert_eq!(json(share), json(&sent.content.instances));
    assert!(share.contains(&"asterisk".parse().unwrap()));
}
