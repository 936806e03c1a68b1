//! Runs the agent's contract suite for runtimes against the real Docker and systemd of a host.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use oml_lab::{Debian, Lab, LabSpec, Variant};
use oml_tests::trial::lab_name;
use oml_tests::{Packages, TEST_FEATURES};
use serde_json::Value;

pub(crate) const NAME: &str = "the_real_docker_and_systemd_pass_the_runtime_contract";
pub(crate) const NAME_ON_TRIXIE: &str =
    "the_real_docker_and_systemd_of_debian_13_pass_the_runtime_contract";

const HOST: &str = "alone";
const LIMIT: Duration = Duration::from_secs(1200);
const PROGRAM: &str = "/root/contract";
const PASSWORD_FILE: &str = "/root/registry.password";
const REPOSITORY: &str = "omnileads/small";
/// The images that the contract suite uses: the variable that passes each one, and its tag.
const IMAGES: [(&str, &str); 4] = [
    ("OML_CONTRACT_V1", "v1"),
    ("OML_CONTRACT_V2", "v2"),
    ("OML_CONTRACT_EXITS", "exits-at-once"),
    ("OML_CONTRACT_HANGS", "hangs"),
];

/// Runs the suite on a separate host with this release, because a running agent would remove what the suite makes.
pub(crate) fn run(packages: &Packages, debian: Debian) -> Result<()> {
    let program = test_program()?;
    let name = lab_name(&format!("contract{}", debian.number()));
    let lab = Lab::up(&LabSpec::new(&name, &[HOST]).on(debian))?;
    let host = lab.host(HOST)?;
    let registry = lab.registry()?;
    host.install_package(&packages.agent)?;
    host.copy_in(&program, PROGRAM, 0o700)?;
    host.push(PASSWORD_FILE, registry.password().as_bytes(), 0o600)?;
    let mut words = vec!["env".to_owned(), "OML_CONTRACT=real".to_owned()];
    words.push(format!("OML_CONTRACT_REPOSITORY={}/{REPOSITORY}", registry.name()));
    words.push(format!("OML_CONTRACT_USER={}", registry.user()));
    words.push(format!("OML_CONTRACT_PASSWORD_FILE={PASSWORD_FILE}"));
    for (name, tag) in IMAGES {
        words.push(format!("{name}={}", registry.digest(REPOSITORY, tag)?));
    }
    let foreign = registry.push_variant(REPOSITORY, "v1", "foreign", Variant::ForeignIndex)?;
    words.push(format!("OML_CONTRACT_FOREIGN={foreign}"));
    words.extend([PROGRAM, "the_real_daemons", "--nocapture"].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = host.exec_within(LIMIT, &words)?;
    let printed = format!("{}{}", output.stdout, output.stderr);
    ensure!(output.is_success() && printed.contains("1 passed"), "{printed}");
    Ok(lab.down()?)
}

/// Returns the path of the agent's test program, which `cargo xtask test` has built already.
fn test_program() -> Result<PathBuf> {
    let output = oml_tests::cargo()?
        .args(["test", "--workspace", "--locked", "--quiet", "--lib", "--no-run"])
        .args(TEST_FEATURES)
        .args(["--message-format", "json"])
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = messages
        .filter(|message| message["profile"]["test"] == true)
        .filter(|message| message["target"]["name"] == "omlagent")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("find the agent's test program in cargo's messages")
}
