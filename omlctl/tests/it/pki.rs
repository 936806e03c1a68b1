//! A certificate authority and certificates for one test.

use oml_daemon::tls::Credentials;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, SerialNumber};

pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) pem: String,
}

/// A certificate and its key, as PEM.
pub(crate) struct Leaf {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serial_number = Some(SerialNumber::from(1));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem }
    }

    pub(crate) fn certify(&self, identity: &str) -> Leaf {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(identity.try_into().unwrap())];
        params.serial_number = Some(SerialNumber::from(2));
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Leaf { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    pub(crate) fn operator(&self) -> Credentials {
        let leaf = self.certify("oml://operator/admin");
        Credentials {
            ca_pem: self.pem.clone(),
            certificate_pem: leaf.certificate_pem,
            key_pem: leaf.key_pem,
        }
    }
}
