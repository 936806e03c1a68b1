//! Who may do what: only what the certificate says.

use anyhow::Result;
use oml_tests::Fleet;

use crate::Case;
use crate::pool::{Kind, check};

pub(crate) const CASES: &[Case] =
    &[(Kind::Tiny, "secrets_are_in_no_log_argument_or_readable_file", secrets)];

const NODE: &str = "tiny-one";

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
