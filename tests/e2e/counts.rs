//! Tests of the count of calls on a real Asterisk: what is up without being a call of the dialplan, a
//! maximum that changes what Asterisk prints, and a count that fails just before the stop.

use anyhow::Result;
use oml_lab::HostProcess;
use oml_tests::observe::{sh, start_times, wait_instance, wait_ready};
use oml_tests::trial::check;
use oml_tests::{CtlOutput, Fleet};

use crate::Case;
use crate::drain::{CHANGE, CONTAINER, VOICE, set_deadline, start_calls};
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "channels_without_a_dialplan_or_in_a_stasis_bridge_are_not_cut", bare_channels),
    (Kind::Acme, "calls_are_counted_where_a_maximum_of_calls_is_set", maximum),
    (Kind::Acme, "a_last_count_that_hangs_or_prints_rubbish_stops_nothing", last_count),
];

const APP: &str = "acme-app";
/// The port on which the called program listens.
const CALLED_PORT: &str = "5090";

/// Runs a command of Asterisk's console.
fn asterisk(fleet: &Fleet, command: &str) -> Result<String> {
    sh(fleet, VOICE, &format!("docker exec {CONTAINER} asterisk -rx '{command}'"))
}

/// Starts a program on another host that answers every call and never hangs up.
fn start_callee(fleet: &Fleet) -> Result<(HostProcess, String)> {
    let host = fleet.host(APP)?;
    let callee = host.spawn(&["sipp", "-sn", "uas", "-p", CALLED_PORT, "-nostdin"])?;
    let endpoint = format!("PJSIP/anonymous/sip:callee@{}:{CALLED_PORT}", host.address());
    let listens = ["sh", "-c", &format!("ss -lunH sport = :{CALLED_PORT}")];
    host.wait_until(oml_tests::observe::SOON, &listens, |output| !output.stdout.is_empty())?;
    Ok((callee, endpoint))
}

fn wait_channels(fleet: &Fleet, channels: u64) -> Result<()> {
    let what = format!("{channels} channels are counted");
    wait_instance(fleet, VOICE, "asterisk", &what, |seen| seen["active"] == channels).map(drop)
}

/// Asks for another version and checks that the change is given up at its deadline without a stop.
fn gives_up(fleet: &Fleet, reason: &str) -> Result<()> {
    let before = start_times(fleet, VOICE)?;
    let CtlOutput { code, stdout, stderr } = fleet.ctl(&CHANGE)?;
    check(code == 3, format!("exit code {code}: {stdout}{stderr}"))?;
    check(format!("{stdout}{stderr}").contains(reason), format!("{stdout}{stderr}"))?;
    check(start_times(fleet, VOICE)? == before, "a container was restarted")
}

fn hang_up(fleet: &Fleet) -> Result<()> {
    asterisk(fleet, "channel request hangup all")?;
    wait_channels(fleet, 0)
}

/// The login at Asterisk's interface for programs (ARI).
const LOGIN: &str = "omnileads:a-secret-of-the-lab";
/// Makes a listener for events, which an application needs, two channels, and a bridge that joins them.
const BRIDGE: &str = "\
set -e
ari() { curl -sf -u \"$2\" -X POST \"http://127.0.0.1:7088/ari/$1\" >/dev/null; }
ari bridges/joined \"$2\"
ari \"channels/one?app=lab&endpoint=$1\" \"$2\"
ari \"channels/two?app=lab&endpoint=$1\" \"$2\"
until ari 'bridges/joined/addChannel?channel=one,two' \"$2\"; do sleep 0.1; done";
const LISTENER: [&str; 15] = [
    "curl",
    "-sN",
    "--http1.1",
    "-u",
    LOGIN,
    "-H",
    "Connection: Upgrade",
    "-H",
    "Upgrade: websocket",
    "-H",
    "Sec-WebSocket-Version: 13",
    "-H",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "-o/dev/null",
    "http://127.0.0.1:7088/ari/events?app=lab",
];

fn bare_channels(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "4s", "abort")?;
    let (_callee, endpoint) = start_callee(fleet)?;
    asterisk(fleet, "module load res_clioriginate.so")?;
    for _ in 0..2 {
        asterisk(fleet, &format!("channel originate {endpoint} application Wait 3600"))?;
    }
    wait_channels(fleet, 2)?;
    let printed = asterisk(fleet, "core show channels count")?;
    // The container may be one in which another test has limited the calls.
    let are_no_calls =
        |line: &str| ["0 active calls", "0 of "].iter().any(|it| line.starts_with(it));
    check(printed.lines().any(are_no_calls), printed)?;
    gives_up(fleet, "2 channels are up")?;
    hang_up(fleet)?;
    let voice = fleet.host(VOICE)?;
    let _listener = voice.spawn(&LISTENER)?;
    let known = format!("docker exec {CONTAINER} asterisk -rx 'ari show apps'");
    voice.wait_until(oml_tests::observe::SOON, &["sh", "-c", &known], |output| {
        output.stdout.lines().any(|line| line.trim() == "lab")
    })?;
    voice.exec_ok(&["sh", "-c", BRIDGE, "sh", &endpoint, LOGIN])?;
    wait_channels(fleet, 2)?;
    gives_up(fleet, "2 channels are up")?;
    hang_up(fleet)
}

fn maximum(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "4s", "abort")?;
    let file = "/etc/asterisk/asterisk.conf";
    let edit = format!("docker exec {CONTAINER} sed -i '$ a maxcalls = 100' {file}");
    sh(fleet, VOICE, &format!("{edit} && systemctl restart asterisk"))?;
    wait_ready(fleet, VOICE, "asterisk")?;
    let calls = start_calls(fleet)?;
    let printed = asterisk(fleet, "core show channels count")?;
    check(printed.contains("of 100 max active"), printed)?;
    gives_up(fleet, "2 channels are up")?;
    calls.hang_up()?;
    wait_channels(fleet, 0)?;
    fleet.ctl_ok(&CHANGE).map(drop)
}

/// Answers truly, except to a question that follows the one before at once, as the last one before a
/// stop does. The counts of a drain are a second apart.
const LIAR: &str = "#!/bin/sh
now=$(date +%s%3N)
last=$(cat /run/asked 2>/dev/null || echo 0)
echo $now > /run/asked
if [ $((now - last)) -lt 900 ]; then ANSWER; fi
exec /usr/sbin/asterisk \"$@\"
";
const LIAR_FILE: &str = "/usr/local/sbin/asterisk";

fn last_count(fleet: &Fleet) -> Result<()> {
    set_deadline(fleet, "8s", "abort")?;
    let voice = fleet.host(VOICE)?;
    for (answer, reason) in
        [("echo rubbish; exit 0", "printed \"rubbish\""), ("exec sleep 3599", "cannot be read")]
    {
        let script = LIAR.replace("ANSWER", answer);
        let write = format!("cat > {LIAR_FILE}; chmod +x {LIAR_FILE}");
        let words = ["docker", "exec", "-i", CONTAINER, "sh", "-c", &write];
        voice.exec_with_input(script.as_bytes(), &words)?;
        gives_up(fleet, reason)?;
        // A count that hangs is not asked for again before it has ended.
        let end = "pkill -x -f 'sleep 3599' || true";
        sh(fleet, VOICE, &format!("docker exec {CONTAINER} rm {LIAR_FILE}; {end}"))?;
    }
    fleet.ctl_ok(&CHANGE)?;
    let seen = wait_ready(fleet, VOICE, "asterisk")?;
    check(seen["version"] == "230215.01" && seen["calls_cut"] == 0, format!("{seen}"))
}
