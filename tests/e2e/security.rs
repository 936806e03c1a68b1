//! Tests that tokens and certificates permit only what they are meant for, and that secrets do not leak.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::{CONTROLLER, LAB_SECRET};
use oml_tests::observe::{SOON, sh};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_token_enrols_one_host_under_one_name", tokens),
    (Kind::Tiny, "a_connection_without_a_certificate_is_refused", no_certificate),
    (Kind::Tiny, "the_certificate_of_a_host_gives_no_operator_access", certificate_of_a_host),
    (Kind::Acme, "secrets_are_in_no_log_argument_or_readable_file", secrets),
];

const NODE: &str = "tiny-one";

fn redeem(fleet: &Fleet, token: &str, name: &str) -> Result<(i32, String)> {
    let endpoint = format!("{}:7444", fleet.host(CONTROLLER)?.address());
    // The other root folder keeps the node's real identity untouched.
    let script = format!(
        "printf %s '{token}' | omlagent enroll --root /tmp/other --controller {endpoint} \
         --token-file - --name {name} --address 127.0.0.1 2>&1"
    );
    let output = fleet.host(NODE)?.exec(&["sh", "-c", &script])?;
    fleet.host(NODE)?.exec_ok(&["rm", "-rf", "/tmp/other"])?;
    Ok((output.status, output.stdout))
}

fn tokens(fleet: &Fleet) -> Result<()> {
    let token = fleet.token(&["tenant=tiny", "role=app", "name=tiny-two"])?;
    let (code, printed) = redeem(fleet, &token, "tiny-three")?;
    check(code != 0 && printed.contains("another name"), format!("another name: {printed}"))?;
    let (code, printed) = redeem(fleet, &token, "tiny-two")?;
    check(code == 0, format!("the right name: {printed}"))?;
    let (code, printed) = redeem(fleet, &token, "tiny-two")?;
    check(code != 0 && printed.contains("used"), format!("a second time: {printed}"))?;
    let short_lived =
        fleet.token(&["tenant=tiny", "role=app", "name=tiny-four", "--valid", "1s"])?;
    let expired = oml_lab::until("the token expires", SOON, || {
        // An unknown token and one that has not expired yet give other messages.
        let (code, printed) =
            redeem(fleet, &short_lived, "tiny-five").map_err(|e| format!("{e:#}"))?;
        if code != 0 && printed.contains("expired") { Ok(printed) } else { Err(printed) }
    })?;
    check(!expired.contains(&short_lived), "the token is in the message")?;
    let (code, printed) = redeem(fleet, "oml1.not.a.token", "tiny-six")?;
    check(code != 0 && printed.contains("token"), printed)?;
    fleet.ctl_ok(&["node", "remove", "tenant=tiny", "node=tiny-two", "--yes"]).map(drop)
}

fn no_certificate(fleet: &Fleet) -> Result<()> {
    let address = fleet.host(CONTROLLER)?.address();
    let script = format!(
        "echo | timeout 5 openssl s_client -connect {address}:7443 -alpn h2 -tls1_3 -quiet 2>&1 || true"
    );
    let printed = sh(fleet, NODE, &script)?;
    check(printed.contains("certificate required") || printed.contains("alert"), printed)?;
    let script = format!("echo | openssl s_client -connect {address}:7443 -tls1_2 2>&1 || true");
    let printed = sh(fleet, NODE, &script)?;
    check(
        printed.contains("alert") || printed.contains("wrong version"),
        format!("TLS 1.2: {printed}"),
    )
}

/// A script that prints, for each place, how many of its lines contain a needle.
const SEARCH: &str = "\
count() { echo \"$1 $(grep -a -c -F -f /run/needles)\"; }
journalctl --no-pager --output=cat | count journal
cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | count arguments
cd / && setpriv --reuid=nobody --regid=nogroup --clear-groups \\
  grep -a -r -l -s -F -D skip -f - /etc /run /tmp /var < /run/needles | sed 's/^/file /'
docker ps -a -q | xargs -r docker inspect -f '{{json .Config.Labels}} {{json .Args}}' | count labels
docker ps -q | xargs -r docker inspect -f '{{json .Config.Env}}' | count environment
journalctl --no-pager --output=cat | wc -l";

fn secrets(fleet: &Fleet) -> Result<()> {
    let needles = format!("{LAB_SECRET}\n{}\n", fleet.lab().registry()?.password());
    for host in fleet.nodes().chain([CONTROLLER]) {
        fleet.host(host)?.push("/run/needles", needles.as_bytes(), 0o600)?;
        let found = sh(fleet, host, SEARCH)?;
        let places: Vec<&str> = found.lines().collect();
        let expected = ["journal 0", "arguments 0", "labels 0"];
        check(places.starts_with(&expected), format!("{host}: {found}"))?;
        // This checks the search itself: programs get their secrets in the environment, and the journal is not empty.
        let is_used = host != CONTROLLER;
        check(places.contains(&"environment 0") != is_used, format!("{host}: {found}"))?;
        let lines = places.last().and_then(|count| count.trim().parse::<u32>().ok());
        check(lines.is_some_and(|lines| lines > 100), format!("{host}: {found}"))?;
    }
    Ok(())
}

/// Uses a node's certificate as if it were an operator's.
fn certificate_of_a_host(fleet: &Fleet) -> Result<()> {
    let folder = fleet.lab().folder().join("a-host");
    std::fs::create_dir_all(&folder)?;
    let read = |name: &str| -> Result<String> {
        Ok(fleet.host(NODE)?.read(&format!("/var/lib/omlagent/identity/{name}"))?)
    };
    let endpoint = format!("{}:7443", fleet.host(CONTROLLER)?.address());
    let (ca, certificate, key) = (read("ca.pem")?, read("node.pem")?, read("node.key")?);
    let bundle = format!(
        "name = \"host\"\nendpoint = \"{endpoint}\"\nca_pem = '''{ca}'''\ncertificate_pem = '''{certificate}'''\nkey_pem = '''{key}'''\n",
    );
    let file = folder.join("bundle.toml");
    std::fs::write(&file, bundle)?;
    let as_host = |words: &[&str]| -> Result<(i32, String)> {
        let mut command = fleet.ctl_command(words);
        let output = command.env("OMLCTL_CONFIG", folder.join("config.toml")).output()?;
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code().unwrap_or(-1), printed))
    };
    let (code, printed) = as_host(&["context", "import", &file.to_string_lossy()])?;
    check(code == 2 && printed.contains("is not an operator's bundle"), printed)?;
    // An attacker could write the context by hand, so the test does.
    let context = folder.join("contexts/host");
    std::fs::create_dir_all(&context)?;
    for (name, pem) in [("ca.pem", ca), ("certificate.pem", certificate), ("key.pem", key)] {
        std::fs::write(context.join(name), pem)?;
    }
    let listed = format!("current = 'host'\n[contexts.host]\nendpoints = ['{endpoint}']\n");
    std::fs::write(folder.join("config.toml"), listed)?;
    for words in [
        &["status"][..],
        &["get", "spec", "tenant=tiny"],
        &["history", "tenant=tiny"],
        &["set-version", "tenant=tiny", "first=v2"],
        &["node", "token", "tenant=tiny", "role=app"],
        &["node", "remove", "tenant=tiny", "node=tiny-one", "--yes"],
    ] {
        let (code, printed) = as_host(words)?;
        check(code == 1 && printed.contains("not allow"), format!("{words:?}: {code} {printed}"))?;
        check(
            !printed.contains("v1"),
            format!("{words:?} shows the tenant's versions: {printed}"),
        )?;
    }
    Ok(())
}
