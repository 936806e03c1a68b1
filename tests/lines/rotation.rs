//! Secrets and the certificate of a site are rotated.

use anyhow::{Context as _, Result};
use oml_tests::trial::check;

use crate::life::starts;
use crate::promises;
use crate::site::Site;

/// Rotates a secret of every kind, and the certificate, while a call is up.
pub(crate) fn all(site: &Site) -> Result<()> {
    let call = promises::call(site)?;
    let before = starts(site)?;
    site.ctl(0, &["secret", "rotate", "tenant=acme", "bucket_secret_key", "--generate"])?;
    let after = starts(site)?;
    let moved = after.iter().filter(|(name, start)| before.get(*name) != Some(start)).count();
    check(moved > 0 && moved < after.len(), format!("{moved} of {} moved", after.len()))?;
    if site.line.tls {
        site.ctl(0, &["tls", "renew", "tenant=acme"])?;
    }
    if let (Some(call), Some(calls)) = (call, &site.line.calls) {
        let heard = call.hear(50)?;
        call.end().with_context(|| format!("the call was cut: {heard:?}"))?;
        let name = format!("{}/{}", site.voice(), calls.container);
        let is_same = starts(site)?.get(&name) == before.get(&name);
        check(is_same, format!("{name} was started again"))?;
    }
    promises::all(site, "next")
}
