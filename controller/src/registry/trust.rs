//! Which certificates of registries are trusted.

use std::sync::Arc;
use std::time::Duration;

use oml_daemon::tls::provider;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, VerifierBuilderError};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::parse_x509_certificate;

/// Trusts authorities, and servers whose own certificate is one of those that were named.
///
/// `openssl req -x509` makes a certificate of an authority, and people give it to a server.
/// No authority can vouch for such a server. Whoever names its very certificate does.
#[derive(Debug)]
pub(super) struct Trust {
    authorities: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Trusts these authorities, to which those that are `named` belong.
    pub(super) fn new(
        authorities: RootCertStore,
        named: &[CertificateDer<'static>],
    ) -> Result<Self, VerifierBuilderError> {
        let authorities = Arc::new(authorities);
        let verifier = WebPkiServerVerifier::builder_with_provider(authorities, provider());
        Ok(Self { authorities: verifier.build()?, named: named.to_vec() })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by_authority = self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if by_authority.is_ok() {
            return by_authority;
        }
        if !self.named.contains(end_entity) {
            return by_authority.map_err(|error| of_nobody(error, end_entity));
        }
        check_time(end_entity, now)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Says of the certificate of an authority that a server shows as its own what is wrong: that
/// nobody vouches for it. The error of the library has no name for it.
fn of_nobody(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let is_other = matches!(error, Error::InvalidCertificate(CertificateError::Other(_)));
    match parse_x509_certificate(certificate) {
        Ok((_, parsed)) if is_other && parsed.is_ca() => CertificateError::UnknownIssuer.into(),
        Ok(_) | Err(_) => error,
    }
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let (_, parsed) =
        parse_x509_certificate(certificate).map_err(|_invalid| CertificateError::BadEncoding)?;
    let of = |seconds: i64| {
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    };
    let validity = parsed.validity();
    let not_before = of(validity.not_before.timestamp());
    let not_after = of(validity.not_after.timestamp());
    if now < not_before {
        Err(CertificateError::NotValidYetContext { time: now, not_before })
    } else if now > not_after {
        Err(CertificateError::ExpiredContext { time: now, not_after })
    } else {
        Ok(())
    }
}
