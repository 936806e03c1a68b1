//! Tests of the whole stack of tenant acme on three hosts.

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;
use oml_tests::observe::{
    SOON, node_of, now_ms, sh, start_times, status, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;
use serde_json::Value;

use crate::Case;
use crate::omlctl::Watch;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "apply_makes_every_component_healthy", every_component_is_healthy),
    (Kind::Acme, "asterisk_answers_sip_options_from_another_host", asterisk_answers),
    (Kind::Acme, "systemctl_status_shows_health_and_calls", systemctl_shows_health),
    (Kind::Acme, "set_version_changes_that_component_and_no_other", only_asterisk_changes),
    (Kind::Acme, "rebooted_hosts_start_their_components_without_a_controller", hosts_reboot),
    (Kind::Acme, "every_prometheus_target_answers", targets_answer),
    (Kind::Acme, "a_silent_host_is_shown_as_unreachable_within_five_seconds", silent_host),
];

const APP: &str = "acme-app";
/// The longest time after which a silent host must be shown as unreachable.
const SILENCE_MS_MAX: u64 = 5_000;

fn every_component_is_healthy(fleet: &Fleet) -> Result<()> {
    let status = status(fleet)?;
    // The last rollout may have ended in either way, depending on the tests that ran before this one.
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
    // There are nine containers, and the exporter on each of the three hosts.
    check(count == 12, format!("{count} instances, expected 12"))
}

fn asterisk_answers(fleet: &Fleet) -> Result<()> {
    let voice = fleet.host("acme-voice")?.address();
    let answer = sh(fleet, "acme-app", &format!("sipsak -vv -s sip:{voice}:5060 2>&1"))?;
    check(answer.contains("Server: OMniLeads lab asterisk"), answer)
}

fn systemctl_shows_health(fleet: &Fleet) -> Result<()> {
    let text = sh(fleet, "acme-voice", "systemctl show -p StatusText --value asterisk")?;
    check(text.contains("healthy") && text.contains("0 channels"), text)
}

fn only_asterisk_changes(fleet: &Fleet) -> Result<()> {
    let before: Vec<_> =
        fleet.nodes().map(|node| start_times(fleet, node)).collect::<Result<_>>()?;
    let change = ["set-version", "tenant=acme", "asterisk=230215.01"];
    fleet.ctl_ok(&change)?;
    let after: Vec<_> =
        fleet.nodes().map(|node| start_times(fleet, node)).collect::<Result<_>>()?;
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
    let untouched: Vec<_> =
        fleet.nodes().map(|node| start_times(fleet, node)).collect::<Result<_>>()?;
    check(untouched == after, "the second command restarted a container")
}

/// The units of the stack, by host.
const UNITS: [(&str, &str); 3] = [
    ("acme-data", "postgresql redis prometheus-node-exporter"),
    ("acme-voice", "rtpengine asterisk prometheus-node-exporter"),
    ("acme-app", "kamailio websockets omnileads daphne nginx prometheus-node-exporter"),
];

fn hosts_reboot(fleet: &Fleet) -> Result<()> {
    sh(fleet, CONTROLLER, "systemctl stop omlcontroller")?;
    let rebooted = reboot_and_check_hosts(fleet);
    sh(fleet, CONTROLLER, "systemctl start omlcontroller")?;
    let restarted_ms = now_ms()?;
    rebooted?;
    wait_ready_after(fleet, restarted_ms, "acme-voice", "asterisk").map(drop)
}

fn reboot_and_check_hosts(fleet: &Fleet) -> Result<()> {
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
    let dropped = reported_in_time(fleet, || Ok(host.partition()?));
    host.heal()?;
    dropped.context("the packets of a host are dropped")?;
    let stopped = reported_in_time(fleet, || Ok(host.pause("omlagent")?));
    host.resume("omlagent")?;
    stopped.context("the agent of a host is stopped")?;
    wait_connected(fleet)
}

/// Silences a host and checks that it is shown as unreachable in time. The controller's timestamp in
/// the reply counts, because the test may read the reply later. Both use the clock of this machine.
fn reported_in_time(fleet: &Fleet, silence: impl FnOnce() -> Result<()>) -> Result<()> {
    wait_connected(fleet)?;
    let watch = Watch::start(fleet)?;
    let app = |reply: &Value| node_of(&reply["tenants"][0], APP);
    watch.wait("the host is connected", |reply| app(reply)["state"] == "connected")?;
    let began_ms = now_ms()?;
    silence()?;
    let reply = watch
        .wait("the host is shown as unreachable", |reply| app(reply)["state"] == "unreachable")?;
    let reported_ms = reply["now_ms"].as_u64().context("read the time of the reply")?;
    let seen = app(&reply);
    check(seen["last_seen_ms"].as_u64() > Some(0), format!("{seen}"))?;
    let took_ms = reported_ms.saturating_sub(began_ms);
    check(took_ms <= SILENCE_MS_MAX, format!("it was shown as unreachable after {took_ms} ms"))
}

fn wait_connected(fleet: &Fleet) -> Result<()> {
    oml_lab::until("the host is connected again", SOON, || {
        let seen = node_of(&status(fleet).map_err(|e| format!("{e:#}"))?, APP);
        if seen["state"] == "connected" { Ok(()) } else { Err(format!("{}", seen["state"])) }
    })?;
    Ok(())
}
