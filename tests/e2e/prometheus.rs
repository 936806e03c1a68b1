//! Tests of the metrics pages with a real Prometheus and its `promtool`.

use anyhow::{Context as _, Result};
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{SOON, sh};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "every_prometheus_target_answers", targets_answer),
    (Kind::Acme, "promtool_finds_nothing_on_either_metrics_page", promtool_is_content),
    (Kind::Acme, "the_documented_prometheus_job_renames_and_doubles_nothing", job_is_honest),
];

const HANDBOOK: &str = include_str!("../../docs/operating.md");
/// The controller's page, on its own host.
const CONTROLLER_PAGE: &str = "http://127.0.0.1:9271/metrics";

/// Checks that every target that Prometheus discovers serves metrics.
fn targets_answer(fleet: &Fleet) -> Result<()> {
    let text = sh(fleet, CONTROLLER, "curl -sf http://127.0.0.1:9271/sd")?;
    let groups: Vec<Value> = serde_json::from_str(&text).context("read the targets")?;
    let mut labels = Vec::new();
    for group in &groups {
        let label = |name: &str| group["labels"][name].as_str().unwrap_or_default().to_owned();
        check(label("tenant") == "acme", format!("{group}"))?;
        let component = label("component");
        labels.push((label("host"), component.clone()));
        // The lab's version of Asterisk has no metrics.
        if component == "asterisk" {
            continue;
        }
        for target in group["targets"].as_array().into_iter().flatten() {
            let (target, path) = (target.as_str().unwrap_or_default(), label("__metrics_path__"));
            let page = sh(fleet, CONTROLLER, &format!("curl -sf -m 5 http://{target}{path}"))?;
            check(page.contains("# TYPE"), format!("{target}{path}: {page}"))?;
        }
    }
    for node in fleet.nodes() {
        let of_node = |component: &str| labels.contains(&(node.to_owned(), component.to_owned()));
        // An agent is no component.
        check(of_node("") && of_node("node-exporter"), format!("{node}: {text}"))?;
    }
    Ok(())
}

fn promtool_is_content(fleet: &Fleet) -> Result<()> {
    for page in [CONTROLLER_PAGE.to_owned(), agent_page(fleet)?] {
        // It reads the text format, and says what it finds on standard error.
        let script = format!(
            "page=$(curl -sf -m 5 {page}) && printf '%s\\n' \"$page\" | promtool check metrics 2>&1"
        );
        let found = fleet.host(CONTROLLER)?.exec(&["sh", "-c", &script])?;
        check(found.status == 0 && found.stdout.is_empty(), format!("{page}: {found:?}"))?;
    }
    Ok(())
}

fn agent_page(fleet: &Fleet) -> Result<String> {
    Ok(format!("http://{}:9270/metrics", fleet.host("acme-voice")?.address()))
}

/// Runs the job of the handbook in a real Prometheus.
fn job_is_honest(fleet: &Fleet) -> Result<()> {
    let controller = fleet.host(CONTROLLER)?;
    let config = format!("global: {{scrape_interval: 1s}}\n{}", documented_job()?);
    controller.push("/run/prometheus.yml", config.as_bytes(), 0o644)?;
    sh(fleet, CONTROLLER, "promtool check config /run/prometheus.yml && rm -rf /run/prometheus")?;
    let mut prometheus = controller.spawn(&[
        "prometheus",
        "--config.file=/run/prometheus.yml",
        "--storage.tsdb.path=/run/prometheus",
        "--web.listen-address=127.0.0.1:9090",
    ])?;
    let checked = check_series(fleet);
    prometheus.kill()?;
    checked
}

fn check_series(fleet: &Fleet) -> Result<()> {
    let nodes = fleet.nodes().count();
    let agents_up = "count(up{job=\"contact-centres\", component=\"\", tenant=\"acme\"} == 1)";
    until("Prometheus has scraped the controller and every agent", SOON, || {
        let up = |query| number(fleet, query).map_err(|error| format!("{error:#}"));
        let (own, agents) = (up("up{job=\"omlcontroller\"}")?, up(agents_up)?);
        let is_up = own == Some(1.0) && agents == Some(nodes as f64);
        if is_up { Ok(()) } else { Err(format!("{own:?} and {agents:?} are up")) }
    })?;
    for label in ["tenant", "host", "component", "job", "instance"] {
        let renamed = format!("count({{__name__=~\"oml_.*\", exported_{label}!=\"\"}})");
        check(number(fleet, &renamed)?.is_none(), format!("series have exported_{label}"))?;
    }
    let twice =
        "count(count by (__name__) (count by (__name__, job) ({__name__=~\"oml_.*\"})) > 1)";
    check(number(fleet, twice)?.is_none(), "a name is on both pages")?;
    for (query, expected) in [
        ("count(oml_instance_up)", 12.0),
        ("sum(oml_instance_up)", 12.0),
        ("sum(oml_agent_instance_up)", 12.0),
        (
            "count(oml_agent_instance_up{tenant=\"acme\", host=\"acme-voice\", component=\"asterisk\"})",
            1.0,
        ),
        ("sum(oml_instance_active{host=\"acme-voice\", component=\"asterisk\"})", 0.0),
        ("count(oml_host_memory_used_bytes)", nodes as f64),
        ("count(oml_node_certificate_expiry_timestamp_seconds > time())", nodes as f64),
        ("count(oml_agent_certificate_expiry_timestamp_seconds > time())", nodes as f64),
    ] {
        let found = number(fleet, query)?;
        check(found == Some(expected), format!("{query} is {found:?}, expected {expected}"))?;
    }
    Ok(())
}

/// Returns the result of a query that has at most one; `None` if it has none.
fn number(fleet: &Fleet, query: &str) -> Result<Option<f64>> {
    let words = ["curl", "-sfG", "http://127.0.0.1:9090/api/v1/query", "--data-urlencode"];
    let query = format!("query={query}");
    let mut command = words.to_vec();
    command.push(&query);
    let text = fleet.host(CONTROLLER)?.exec_ok(&command)?;
    let answer: Value = serde_json::from_str(&text).context("read the answer of Prometheus")?;
    let value = answer["data"]["result"][0]["value"][1].as_str();
    value.map(|value| value.parse().context("read a number of Prometheus")).transpose()
}

/// Returns the configuration of Prometheus in the handbook.
fn documented_job() -> Result<String> {
    let (_, section) = HANDBOOK.split_once("\n## Prometheus\n").context("find the section")?;
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    let block = lines.map_while(|line| line.strip_prefix("    "));
    Ok(block.collect::<Vec<_>>().join("\n"))
}
