//! Who may do what: only what the certificate says.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;

use crate::Case;
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_token_is_good_for_one_machine_of_one_name", tokens),
    (Kind::Tiny, "without_a_certificate_nothing_is_answered", no_certificate),
    (Kind::Tiny, "secrets_are_in_no_log_argument_or_readable_file", secrets),
];

const NODE: &str = "tiny-one";

fn redeem(fleet: &Fleet, token: &str, name: &str) -> Result<(i32, String)> {
    let endpoint = format!("{}:7444", fleet.host(CONTROLLER)?.address());
    // A state folder of its own: the node's real identity stays.
    let script = format!(
        "mkdir -p /tmp/other && printf %s '{token}' | OMLAGENT_STATE_DIR=/tmp/other omlagent enroll \
         --controller {endpoint} --token-file - --name {name} --address 127.0.0.1 --no-start 2>&1"
    );
    let output = fleet.host(NODE)?.exec(&["sh", "-c", &script])?;
    fleet.host(NODE)?.exec_ok(&["rm", "-rf", "/tmp/other"])?;
    Ok((output.status, output.stdout))
}

fn tokens(fleet: &Fleet) -> Result<()> {
    let token = fleet.token(&["tenant=tiny", "role=app", "name=tiny-two"])?;
    let (code, told) = redeem(fleet, &token, "tiny-three")?;
    check(code != 0 && told.contains("tiny-two"), format!("another name: {told}"))?;
    let (code, told) = redeem(fleet, &token, "tiny-two")?;
    check(code == 0, format!("the right name: {told}"))?;
    let (code, told) = redeem(fleet, &token, "tiny-two")?;
    check(code != 0 && told.contains("used"), format!("a second time: {told}"))?;
    let brief = fleet.token(&["tenant=tiny", "role=app", "name=tiny-four", "--valid", "1s"])?;
    let expired = oml_lab::until("the token expires", crate::look::SOON, || {
        // A token that never existed and one that is not yet over are told otherwise.
        let (code, told) = redeem(fleet, &brief, "tiny-five").map_err(|e| format!("{e:#}"))?;
        if code != 0 && told.contains("expired") { Ok(told) } else { Err(told) }
    })?;
    check(!expired.contains(&brief), "the token is in the message")?;
    let (code, told) = redeem(fleet, "oml1.not.a.token", "tiny-six")?;
    check(code != 0 && told.contains("token"), told)?;
    fleet.ctl_ok(&["node", "remove", "tenant=tiny", "node=tiny-two"]).map(drop)
}

fn no_certificate(fleet: &Fleet) -> Result<()> {
    let address = fleet.host(CONTROLLER)?.address();
    let script = format!(
        "echo | timeout 5 openssl s_client -connect {address}:7443 -alpn h2 -tls1_3 -quiet 2>&1 || true"
    );
    let told = crate::look::sh(fleet, NODE, &script)?;
    check(told.contains("certificate required") || told.contains("alert"), told)?;
    let script = format!("echo | openssl s_client -connect {address}:7443 -tls1_2 2>&1 || true");
    let told = crate::look::sh(fleet, NODE, &script)?;
    check(told.contains("alert") || told.contains("wrong version"), format!("TLS 1.2: {told}"))
}

fn secrets(fleet: &Fleet) -> Result<()> {
    let secret = "a-secret-of-the-lab";
    let password = fleet.lab().registry()?.password().to_owned();
    let script = format!(
        "{{ journalctl --no-pager; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; \
         find /etc/omlagent /var/lib/omlagent /run/omlagent /etc/systemd/system -type f -perm /044 -exec cat {{}} +; }} \
         2>/dev/null | grep -c -F -e '{secret}' -e '{password}' || true"
    );
    let count = fleet.host(NODE)?.exec_with_input(b"", &["bash", "-c", &script])?;
    // The script itself names them once, in its own argument list.
    check(count.trim().parse::<u32>().unwrap_or(99) <= 1, format!("found {count} times"))
}
