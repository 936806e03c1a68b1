//! Who may do what: only what the certificate says.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::{CONTROLLER, LAB_SECRET};

use crate::Case;
use crate::look::{SOON, sh};
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "a_token_is_good_for_one_machine_of_one_name", tokens),
    (Kind::Tiny, "without_a_certificate_nothing_is_answered", no_certificate),
    (Kind::Tiny, "the_certificate_of_a_host_opens_nothing_else", certificate_of_a_host),
    (Kind::Acme, "secrets_are_in_no_log_argument_or_readable_file", secrets),
];

const NODE: &str = "tiny-one";

fn redeem(fleet: &Fleet, token: &str, name: &str) -> Result<(i32, String)> {
    let endpoint = format!("{}:7444", fleet.host(CONTROLLER)?.address());
    // A root of its own: the node's real identity stays.
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
    let (code, told) = redeem(fleet, &token, "tiny-three")?;
    check(code != 0 && told.contains("another name"), format!("another name: {told}"))?;
    let (code, told) = redeem(fleet, &token, "tiny-two")?;
    check(code == 0, format!("the right name: {told}"))?;
    let (code, told) = redeem(fleet, &token, "tiny-two")?;
    check(code != 0 && told.contains("used"), format!("a second time: {told}"))?;
    let brief = fleet.token(&["tenant=tiny", "role=app", "name=tiny-four", "--valid", "1s"])?;
    let expired = oml_lab::until("the token expires", SOON, || {
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
    let told = sh(fleet, NODE, &script)?;
    check(told.contains("certificate required") || told.contains("alert"), told)?;
    let script = format!("echo | openssl s_client -connect {address}:7443 -tls1_2 2>&1 || true");
    let told = sh(fleet, NODE, &script)?;
    check(told.contains("alert") || told.contains("wrong version"), format!("TLS 1.2: {told}"))
}

/// Prints for each place how often a needle was found in it.
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
        // The search does find: programs get their secrets, and there is a journal.
        let is_used = host != CONTROLLER;
        check(places.contains(&"environment 0") != is_used, format!("{host}: {found}"))?;
        let lines = places.last().and_then(|count| count.trim().parse::<u32>().ok());
        check(lines.is_some_and(|lines| lines > 100), format!("{host}: {found}"))?;
    }
    Ok(())
}

/// What is asked with a node's certificate as if it were an operator's.
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
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code().unwrap_or(-1), told))
    };
    let (code, told) = as_host(&["context", "import", &file.to_string_lossy()])?;
    check(code == 2 && told.contains("is not an operator's bundle"), told)?;
    // Who means harm writes the context by hand.
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
        &["node", "remove", "tenant=tiny", "node=tiny-one"],
    ] {
        let (code, told) = as_host(words)?;
        check(code == 1 && told.contains("not allow"), format!("{words:?}: {code} {told}"))?;
        check(!told.contains("v1"), format!("{words:?} tells of the tenant: {told}"))?;
    }
    Ok(())
}
