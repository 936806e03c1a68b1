//! Who may do what: only what the certificate says.

use anyhow::Result;
use oml_tests::Fleet;
use oml_tests::fleet::CONTROLLER;

use crate::Case;
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] = &[
    (Kind::Tiny, "without_a_certificate_nothing_is_answered", no_certificate),
    (Kind::Tiny, "secrets_are_in_no_log_argument_or_readable_file", secrets),
];

const NODE: &str = "tiny-one";

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
