//! Tests of texts that reach a program on another way than they were written: line ends of secrets,
//! templates of a tenant, and characters that systemd reads in its own way.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::{CONTROLLER, LAB_SECRET};
use oml_tests::observe::{now_ms, sh, wait_instance, wait_ready, wait_ready_after};
use oml_tests::trial::check;

use crate::Case;
use crate::pool::Kind;

pub(crate) const CASES: &[Case] = &[
    (Kind::Acme, "a_secret_reaches_its_program_without_line_ends_and_an_empty_one_blocks", secret),
    (Kind::Tiny, "a_registry_password_with_a_line_end_of_windows_is_accepted", registry_password),
    (Kind::Tiny, "a_template_in_a_tenants_environment_is_filled", template),
    (Kind::Acme, "a_packaged_unit_gets_its_environment_as_it_was_written", packaged),
];

fn secret(fleet: &Fleet) -> Result<()> {
    let voice = fleet.host("acme-voice")?;
    let file = "/etc/omlagent/secrets/ami_password";
    // A container that another test left would be used again as it is.
    sh(fleet, "acme-voice", "docker container prune --force")?;
    voice.push(file, b"\r\n", 0o600)?;
    fleet.ctl_ok(&["set-version", "tenant=acme", "asterisk=230215.01", "--no-wait"])?;
    wait_instance(fleet, "acme-voice", "asterisk", "the empty secret blocks it", |seen| {
        let reason = seen["reason"].as_str().unwrap_or_default();
        seen["phase"]["name"] == "blocked" && reason.contains(&format!("{file} is empty"))
    })?;
    voice.push(file, format!("{LAB_SECRET}\r\n").as_bytes(), 0o600)?;
    wait_instance(fleet, "acme-voice", "asterisk", "the change goes on", |seen| {
        seen["phase"]["name"] == "ready" && seen["version"] == "230215.01"
    })?;
    let script = "docker inspect -f '{{json .Config.Env}}' oml-asterisk-server";
    let environment = sh(fleet, "acme-voice", script)?;
    check(environment.contains(&format!("\"AMI_PASSWORD={LAB_SECRET}\"")), environment)?;
    Ok(voice.push(file, LAB_SECRET.as_bytes(), 0o600)?)
}

fn registry_password(fleet: &Fleet) -> Result<()> {
    let password = fleet.lab().registry()?.password().to_owned();
    let write = |line_end: &str| -> Result<()> {
        let text = format!("{password}{line_end}");
        for (host, program) in [("tiny-one", "omlagent"), (CONTROLLER, "omlcontroller")] {
            // The file keeps its owner.
            let script =
                format!("cat > /etc/{program}/registry.password; systemctl restart {program}");
            fleet.host(host)?.exec_with_input(text.as_bytes(), &["sh", "-c", &script])?;
        }
        wait_ready_after(fleet, now_ms()?, "tiny-one", "first").map(drop)
    };
    write("\r\n")?;
    sh(fleet, "tiny-one", "docker container prune --force; docker image prune --all --force")?;
    fleet.ctl_ok(&["set-version", "tenant=tiny", "first=v2"])?;
    write("")
}

fn template(fleet: &Fleet) -> Result<()> {
    let spec = fleet.spec()?;
    let env = "first: {version: v1, env: {T: \"{{ node.address }}\"}}";
    let path = fleet.write_spec("template.yaml", &spec.replace("first: v1", env))?;
    fleet.ctl_ok(&["apply", "-f", &path])?;
    let environment = sh(fleet, "tiny-one", "docker inspect -f '{{json .Config.Env}}' oml-first")?;
    let address = fleet.host("tiny-one")?.address();
    check(environment.contains(&format!("\"T={address}\"")), environment)
}

/// A value with everything that systemd reads in its own way.
const VALUE: &str = r#"100%h %% "quoted" 'too' \ \n $HOME"#;

fn packaged(fleet: &Fleet) -> Result<()> {
    let apply = |value: &str| {
        let env = format!("node-exporter: {{env: {{FIELD: {value}}}}}");
        let spec = fleet.spec()?.replace("node-exporter: {}", &env);
        fleet.ctl(&["apply", "-f", &fleet.write_spec("packaged.yaml", &spec)?])
    };
    let applied = apply(&format!("'{}'", VALUE.replace('\'', "''")))?;
    check(applied.code == 0, format!("{applied:?}"))?;
    for node in fleet.nodes() {
        wait_ready(fleet, node, "node-exporter")?;
        let pid = "$(systemctl show -P MainPID prometheus-node-exporter)";
        let environment = sh(fleet, node, &format!("tr '\\0' '\\n' < /proc/{pid}/environ"))?;
        let line = format!("FIELD={VALUE}");
        check(environment.lines().any(|found| found == line), format!("{node}: {environment}"))?;
    }
    let refused = apply(r#""one\ntwo""#)?;
    check(refused.code == 2 && refused.stderr.contains("FIELD"), format!("{refused:?}"))
}
