//! The ACME server of tests: Pebble of Debian 12, whose certificates nobody else trusts. Its layer is built only when
//! a test asks for it.

use crate::cache::Cache;
use crate::error::Result;
use crate::host::Host;
use crate::recipes::{BOOKWORM, PEBBLE};

/// The lock for what only this program needs, so that nobody else waits while it is built.
const LOCK: &str = "pebble";

impl Host {
    /// Puts the program of Pebble on the host.
    pub fn put_pebble(&self, path: &str) -> Result<()> {
        let cache = Cache::open_with_lock(LOCK)?;
        let program = PEBBLE.build(&cache, &BOOKWORM)?.join("usr/bin/pebble");
        self.copy_in(&program, path, 0o755)
    }
}
