//! The life of a tenant on three hosts.

use anyhow::Result;
use oml_tests::Fleet;

use crate::Case;
use crate::look::{SOON, node_of, sh, starts, status, wait_ready};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "apply_makes_every_component_healthy", every_component_is_healthy),
    (Kind::Acme, "asterisk_answers_sip_options_from_another_host", asterisk_answers),
    (Kind::Acme, "systemctl_status_tells_health_and_calls", systemctl_tells),
    (Kind::Acme, "set_version_changes_that_component_and_no_other", only_asterisk_changes),
    (Kind::Acme, "hosts_come_back_alone_without_a_controller", hosts_come_back),
    (Kind::Acme, "a_silent_host_is_unreachable_within_five_seconds", silent_host),
];

fn every_component_is_healthy(fleet: &Fleet) -> Result<()> {
    let status = status(fleet)?;
    check(status["rollout"]["state"] == "completed", format!("{}", status["rollout"]))?;
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

fn hosts_come_back(fleet: &Fleet) -> Result<()> {
    let controller = oml_tests::fleet::CONTROLLER;
    sh(fleet, controller, "systemctl stop omlcontroller")?;
    let voice = fleet.host("acme-voice")?;
    voice.reboot()?;
    let units = ["rtpengine", "asterisk", "prometheus-node-exporter"];
    let mut command = vec!["systemctl", "is-active"];
    command.extend(units);
    let all_active = |output: &oml_lab::Output| {
        output.stdout.lines().filter(|line| *line == "active").count() == units.len()
    };
    voice.wait_until(SOON, &command, all_active)?;
    let address = voice.address();
    let answer = sh(fleet, "acme-app", &format!("sipsak -vv -s sip:{address}:5060 2>&1"))?;
    sh(fleet, controller, "systemctl start omlcontroller")?;
    check(answer.contains("Server: OMniLeads lab asterisk"), answer)?;
    wait_ready(fleet, "acme-voice", "asterisk").map(drop)
}

fn silent_host(fleet: &Fleet) -> Result<()> {
    let host = fleet.host("acme-app")?;
    let within_five_seconds = |what: &str| -> Result<()> {
        let limit = std::time::Duration::from_secs(5);
        oml_lab::until(what, limit, || {
            let seen = node_of(&status(fleet).map_err(|e| format!("{e:#}"))?, "acme-app");
            let told = seen["state"] == "unreachable" && seen["last_seen_ms"].as_u64() > Some(0);
            if told { Ok(()) } else { Err(format!("{}", seen["state"])) }
        })?;
        Ok(())
    };
    host.partition()?;
    let dropped = within_five_seconds("a dropped host is told");
    host.heal()?;
    dropped?;
    wait_connected(fleet)?;
    host.pause("omlagent")?;
    let stopped = within_five_seconds("a stopped agent is told");
    host.resume("omlagent")?;
    stopped?;
    wait_connected(fleet)
}

fn wait_connected(fleet: &Fleet) -> Result<()> {
    oml_lab::until("the host is back", SOON, || {
        let seen = node_of(&status(fleet).map_err(|e| format!("{e:#}"))?, "acme-app");
        if seen["state"] == "connected" { Ok(()) } else { Err(format!("{}", seen["state"])) }
    })?;
    Ok(())
}
