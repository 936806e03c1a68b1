//! The facts of a certificate that are stored.

use oml_common::document::node::CertificateRecord;
use oml_daemon::tls::Peer;

/// Takes the stored facts of a verified certificate.
#[must_use]
pub fn record_of(peer: &Peer) -> CertificateRecord {
    let Peer { serial, public_key, issued, expires, .. } = *peer;
    CertificateRecord { serial, public_key, issued, expires }
}
