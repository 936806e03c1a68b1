//! The life of a tenant on three hosts.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use serde_json::Value;

use crate::Case;
use crate::look::{SOON, node_of, now_ms, sh, starts, status, wait_ready, wait_ready_after};
use crate::operator::Watch;
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "apply_makes_every_component_healthy", every_component_is_healthy),
    (Kind::Acme, "asterisk_answers_sip_options_from_another_host", asterisk_answers),
    (Kind::Acme, "systemctl_status_tells_health_and_calls", systemctl_tells),
    (Kind::Acme, "set_version_changes_that_component_and_no_other", only_asterisk_changes),
    (Kind::Acme, "hosts_come_back_alone_without_a_controller", hosts_come_back),
    (Kind::Acme, "every_target_of_prometheus_answers", targets_answer),
    (Kind::Acme, "a_silent_host_is_unreachable_within_five_seconds", silent_host),
];

const APP: &str = "acme-app";
/// After this a silent host has been told as unreachable.
const SILENCE_MS_MAX: u64 = 5_000;

fn every_component_is_healthy(fleet: &Fleet) -> Result<()> {
    let status = status(fleet)?;
    // Which of the two depends on the tests before: none is in progress.
    let has_ended = ["completed", "rolled-back"].iter().any(|s| status["rollout"]["state"] == *s);
    check(has_ended, format!("{}", status["rollout"]))?;
    let mut count = 0;
    for node in fleet.nodes() {
        let report = node_of(&status, node)["report"].clone();
        let instances = report["instances"].as_object().cloned().unwrap_or_default();
        for (name, seen) in instances {
            count += 1;
            check(seen["health"] == "healthy", format!("{name} on {node}: {seen}"))?;
        }
    }
    // Nine containers, and the exporter on each of the three hosts.
    check(count == 12, format!("{count} instances instead of 12"))
}

fn asterisk_answers(fleet: &Fleet) -> Result<()> {
    let voice = fleet.host("acme-voice")?.address();
    let answer = sh(fleet, "acme-app", &format!("sipsak -vv -s sip:{voice}:5060 2>&1"))?;
    check(answer.contains("Server: OMniLeads lab asterisk"), answer)
}

fn systemctl_tells(fleet: &Fleet) -> Result<()> {
    let text = sh(fleet, "acme-voice", "systemctl show -p StatusText --value asterisk")?;
    check(text.contains("healthy") && text.contains("0 calls"), text)
}

fn only_asterisk_changes(fleet: &Fleet) -> Result<()> {
    let before: Vec<_> = fleet.nodes().map(|node| starts(fleet, node)).collect::<Result<_>>()?;
    let change = ["set-version", "tenant=acme", "asterisk=230215.01"];
    fleet.ctl_ok(&change)?;
    let after: Vec<_> = fleet.nodes().map(|node| starts(fleet, node)).collect::<Result<_>>()?;
    for (before, after) in before.iter().zip(&after) {
        check(before.keys().eq(after.keys()), format!("{before:?} {after:?}"))?;
        for (name, at) in after {
            let moved = before.get(name) != Some(at);
            check(
                moved == (name == "oml-asterisk-server"),
                format!("{name}: {before:?} {after:?}"),
            )?;
        }
    }
    let seen = wait_ready(fleet, "acme-voice", "asterisk")?;
    check(seen["version"] == "230215.01", format!("{seen}"))?;
    let again = fleet.ctl(&change)?;
    check(again.code == 0, format!("{again:?}"))?;
    check(
        format!("{}{}", again.stdout, again.stderr).contains("nothing to change"),
        format!("{again:?}"),
    )?;
    let untouched: Vec<_> = fleet.nodes().map(|node| starts(fleet, node)).collect::<Result<_>>()?;
    check(untouched == after, "the second command touched something")
}

/// Every unit of the stack, by host.
const UNITS: [(&str, &str); 3] = [
    ("acme-data", "postgresql redis prometheus-node-exporter"),
    ("acme-voice", "rtpengine asterisk prometheus-node-exporter"),
    ("acme-app", "kamailio websockets omnileads daphne nginx prometheus-node-exporter"),
];

fn hosts_come_back(fleet: &Fleet) -> Result<()> {
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    let came_back = come_back_alone(fleet);
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    let restarted_ms = now_ms()?;
    came_back?;
    wait_ready_after(fleet, restarted_ms, ("acme-voice", "asterisk")).map(drop)
}

fn come_back_alone(fleet: &Fleet) -> Result<()> {
    for (node, _) in UNITS {
        fleet.host(node)?.reboot()?;
    }
    for (node, units) in UNITS {
        let mut command = vec!["systemctl", "is-active"];
        command.extend(units.split(' '));
        let expected = "active\n".repeat(command.len() - 2);
        fleet.host(node)?.wait_until(SOON, &command, |output| output.stdout == expected)?;
    }
    asterisk_answers(fleet)?;
    let login = "curl -skf https://acme-app/accounts/login/";
    let page = sh(fleet, "acme-voice", login)?;
    check(page.contains("1.26.0"), page)
}

/// What Prometheus is told to scrape is there to be scraped.
fn targets_answer(fleet: &Fleet) -> Result<()> {
    let text = sh(fleet, CONTROLLER, "curl -sf http://127.0.0.1:9271/sd")?;
    let groups: Vec<Value> = serde_json::from_str(&text).context("read the targets")?;
    let mut labels = Vec::new();
    for group in &groups {
        let label = |name: &str| group["labels"][name].as_str().unwrap_or_default().to_owned();
        check(label("tenant") == "acme", format!("{group}"))?;
        let component = label("component");
        labels.push((label("host"), component.clone()));
        // The Asterisk of the lab is older than its numbers.
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
        check(of_node("agent") && of_node("node-exporter"), format!("{node}: {text}"))?;
    }
    let voice = fleet.host("acme-voice")?.address();
    let page = sh(fleet, CONTROLLER, &format!("curl -sf -m 5 http://{voice}:9270/metrics"))?;
    let calls = page.lines().find(|line| {
        let labels = ["tenant=\"acme\"", "host=\"acme-voice\"", "component=\"asterisk\""];
        line.contains("instance_active{") && labels.iter().all(|label| line.contains(label))
    });
    check(calls.is_some_and(|line| line.ends_with(" 0")), page)?;
    let page = sh(fleet, CONTROLLER, "curl -sf http://127.0.0.1:9271/metrics")?;
    check(page.contains("host=\"acme-voice\"") && page.contains("# EOF"), page)
}

fn silent_host(fleet: &Fleet) -> Result<()> {
    let host = fleet.host(APP)?;
    let dropped = told_in_time(fleet, || Ok(host.partition()?));
    host.heal()?;
    dropped.context("a host whose packets are dropped")?;
    let stopped = told_in_time(fleet, || Ok(host.pause("omlagent")?));
    host.resume("omlagent")?;
    stopped.context("a host whose agent is stopped")?;
    wait_connected(fleet)
}

/// A host that is silent from now on is told as such in time. The stamp of the reply that says so
/// counts, and not when a test came to read it: the controller's clock is this machine's.
fn told_in_time(fleet: &Fleet, silence: impl FnOnce() -> Result<()>) -> Result<()> {
    wait_connected(fleet)?;
    let watch = Watch::start(fleet)?;
    let app = |reply: &Value| node_of(&reply["tenants"][0], APP);
    watch.wait("the host is connected", |reply| app(reply)["state"] == "connected")?;
    let began_ms = now_ms()?;
    silence()?;
    let reply = watch
        .wait("the host is told as unreachable", |reply| app(reply)["state"] == "unreachable")?;
    let told_ms = reply["now_ms"].as_u64().context("a reply with its time")?;
    let seen = app(&reply);
    check(seen["last_seen_ms"].as_u64() > Some(0), format!("{seen}"))?;
    let took_ms = told_ms.saturating_sub(began_ms);
    check(took_ms <= SILENCE_MS_MAX, format!("it was told after {took_ms} ms"))
}

fn wait_connected(fleet: &Fleet) -> Result<()> {
    oml_lab::until("the host is back", SOON, || {
        let seen = node_of(&status(fleet).map_err(|e| format!("{e:#}"))?, APP);
        if seen["state"] == "connected" { Ok(()) } else { Err(format!("{}", seen["state"])) }
    })?;
    Ok(())
}
