//! Secrets and the certificate of a site are rotated.

use anyhow::Result;
use oml_tests::trial::check;

use crate::life::starts;
use crate::promises;
use crate::site::Site;

/// Rotates a secret of every kind, and the certificate.
pub(crate) fn all(site: &Site) -> Result<()> {
    let before = starts(site)?;
    site.ctl(0, &["secret", "rotate", "tenant=acme", "bucket_secret_key", "--generate"])?;
    let after = starts(site)?;
    let moved = after.iter().filter(|(name, start)| before.get(*name) != Some(start)).count();
    check(moved > 0 && moved < after.len(), format!("{moved} of {} moved", after.len()))?;
    if site.line.tls {
        site.ctl(0, &["tls", "renew", "tenant=acme"])?;
    }
    promises::all(site, "next")
}
