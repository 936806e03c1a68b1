//! Tests of the checks that the agent makes before it stops the old version.

use anyhow::Result;
use oml_lab::until;
use oml_tests::Fleet;
use oml_tests::observe::{
    SOON, now_ms, sh, start_times, wait_instance, wait_ready, wait_ready_after,
};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_port_in_use_by_another_program_blocks_the_change_and_stops_nothing", |fleet| {
        port(fleet, "0.0.0.0:8099", "")
    }),
    (
        Kind::Tiny,
        "a_port_in_use_by_another_program_at_the_hosts_address_only_blocks_too",
        |fleet| {
            let address = fleet.host(NODE)?.address().to_string();
            // Not the port of the other test, from which a container may be left.
            port(fleet, &format!("{address}:8098"), &format!(" at {address}"))
        },
    ),
    (Kind::Tiny, "a_stranger_at_localhost_is_not_asked_by_the_next_supervisor", stranger),
    (Kind::Tiny, "a_program_that_is_bound_to_the_hosts_address_only_is_asked_there", bound),
];

const NODE: &str = "tiny-one";

/// Another program listens at `listen`; the reason names `place`.
fn port(fleet: &Fleet, listen: &str, place: &str) -> Result<()> {
    let (_, number) = listen.split_once(':').unwrap_or_default();
    let exporter = format!("prometheus-node-exporter --web.listen-address={listen}");
    sh(fleet, NODE, &format!("systemd-run --collect --unit=port-holder {exporter}"))?;
    let reason = format!("port {number}/tcp is taken by another program{place}");
    let blocked = change_is_blocked(fleet, number, &reason);
    sh(fleet, NODE, "systemctl stop port-holder")?;
    let before = blocked?;
    let what = "second answers on the port after it was freed";
    until(what, SOON, || {
        sh(fleet, NODE, &format!("curl -fsS http://127.0.0.1:{number}/"))
            .map_err(|error| format!("{error:#}"))
    })?;
    wait_ready(fleet, NODE, "second")?;
    let after = start_times(fleet, NODE)?;
    check(after["oml-second"] != before["oml-second"], "second was not changed")?;
    check(after["oml-first"] == before["oml-first"], "first was restarted")
}

/// Starts a change whose port is in use, checks that it is blocked for that reason, and returns the containers' start
/// times.
fn change_is_blocked(
    fleet: &Fleet,
    number: &str,
    expected: &str,
) -> Result<std::collections::BTreeMap<String, String>> {
    let address = fleet.host(NODE)?.address();
    let listens = format!("curl -fsS http://{address}:{number}/metrics >/dev/null");
    until("the other program listens on the port", SOON, || {
        sh(fleet, NODE, &listens).map_err(|error| format!("{error:#}"))
    })?;
    let before = start_times(fleet, NODE)?;
    let spec = fleet.spec()? + &format!("settings: {{second_port: \"{number}\"}}\n");
    let path = fleet.write_spec("port.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path, "--no-wait"])?;
    let seen = wait_instance(fleet, NODE, "second", "the used port blocks it", |seen| {
        seen["phase"]["name"] == "blocked"
    })?;
    let reason = seen["reason"].as_str().unwrap_or_default();
    check(reason.ends_with(expected), reason)?;
    check(start_times(fleet, NODE)? == before, "a container was restarted")?;
    Ok(before)
}

/// Another program has the port at 127.0.0.1 when the component is started, and its supervisor is
/// killed later.
fn stranger(fleet: &Fleet) -> Result<()> {
    bind_to_address(fleet)?;
    let image = "docker inspect -f '{{.Config.Image}}' oml-second";
    let run = "docker run -d --name stranger --network host --entrypoint httpd";
    sh(fleet, NODE, &format!("{run} $({image}) -f -p 127.0.0.1:8082 -h /"))?;
    sh(fleet, NODE, "systemctl restart oml-second && curl -s http://127.0.0.1:8082/ >/dev/null")?;
    sh(fleet, NODE, "systemctl kill --signal=KILL oml-second")?;
    wait_ready_after(fleet, now_ms()?, NODE, "second")?;
    let stops = check_stops(fleet);
    sh(fleet, NODE, "docker rm -f stranger")?;
    stops?;
    wait_ready(fleet, NODE, "second").map(drop)
}

/// A version that listens at the host's own address only is as good as any other, and a failure
/// of it says where it was asked.
fn bound(fleet: &Fleet) -> Result<()> {
    bind_to_address(fleet)?;
    sh(fleet, NODE, "! curl -fsS http://127.0.0.1:8082/ 2>/dev/null")?;
    check_stops(fleet)?;
    wait_ready(fleet, NODE, "second").map(drop)
}

fn bind_to_address(fleet: &Fleet) -> Result<()> {
    let binding = "  second: {version: v2, env: {PORT: \"{{ node.address }}:8082\"}}";
    let spec = fleet.spec()?.replace("  second: v1", binding);
    check(spec.contains(binding), &spec)?;
    let path = fleet.write_spec("bound.yaml", &spec)?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    let seen = wait_ready(fleet, NODE, "second")?;
    check(seen["version"] == "v2", format!("{seen}"))?;
    let address = fleet.host(NODE)?.address();
    sh(fleet, NODE, &format!("curl -fsS http://{address}:8082/")).map(drop)
}

/// Checks that it is reported with the address when the program itself no longer answers.
fn check_stops(fleet: &Fleet) -> Result<()> {
    let address = fleet.host(NODE)?.address();
    sh(fleet, NODE, "docker exec oml-second killall -STOP httpd")?;
    let expected = format!("(asked {address}:8082)");
    let stopped = wait_instance(fleet, NODE, "second", "it no longer answers", |seen| {
        seen["reason"].as_str().is_some_and(|reason| reason.ends_with(&expected))
    });
    sh(fleet, NODE, "docker exec oml-second killall -CONT httpd")?;
    stopped.map(drop)
}
