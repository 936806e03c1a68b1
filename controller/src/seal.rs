//! Seals the values of secrets with a key that is not in the store.
//!
//! The key is 256 random bits in a file of its own. From it follow, by HKDF with SHA-256 (RFC 5869),
//! a key for AES-256-GCM (NIST SP 800-38D), one for the marks of versions (HMAC, RFC 2104), and one for
//! the values of requests, by which a repeated request is recognised (HMAC too). Every sealed value has a random nonce of 96 bits, and its tenant, name and version are authenticated with it,
//! so that a record that was moved to another place cannot be opened.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oml_common::document::secret::SealedVersion;
use oml_common::id::{SecretMark, SecretName, TenantId};
use oml_common::text::secret_text::{InvalidValue, SecretText};
use oml_daemon::env::{Random, RandomError};
use oml_daemon::regular_file;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

mod key_use;

pub use self::key_use::{KeyUse, OtherKey};

/// The name of the key's file in the controller's folder, and of the credential of its unit.
pub const KEY_FILE: &str = "secrets.key";

/// The first word of a key's text, which is the version of its form.
const FORM: &str = "omlk1";
const KEY_LEN: usize = 32;
const SALT: &[u8] = b"omlcontroller secrets";
/// What the keys that follow from it are for.
const SEAL: &[&[u8]] = &[b"seal"];
const MARKS: &[&[u8]] = &[b"marks"];
const REQUESTS: &[&[u8]] = &[b"requests"];
/// The bytes of a mark and of the name of a key.
const MARK_LEN: usize = 16;
const KEY_ID_LEN: usize = 8;

/// Why there is no key with which secrets can be sealed and opened. It is shown with every
/// operation that needs the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// There is none, as after an upgrade from a release without secrets.
    #[error(
        "there is no key for secrets: neither a credential {KEY_FILE} nor {}; make one on the controller with `omlcontroller secrets-key`, or put the one of the backup there, and restart omlcontroller",
        path.display()
    )]
    Missing { path: PathBuf },
    #[error("the key for secrets in {} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    /// The file holds something else.
    #[error("{} is no key for secrets; put the right file there and restart omlcontroller", path.display())]
    Invalid { path: PathBuf },
}

/// The error of opening a sealed value.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// Another key sealed the value.
    #[error(
        "it was sealed with the key {sealed_with}, and this controller has the key {own}; put the right {KEY_FILE} in place and restart omlcontroller"
    )]
    OtherKey { sealed_with: String, own: String },
    /// The record was changed, or belongs to another secret.
    #[error("its sealed value is damaged; give it a new one with `omlctl secret rotate`")]
    Damaged,
    #[error("its sealed value cannot be used")]
    Invalid(#[source] InvalidValue),
}

/// What a sealed value belongs to.
#[derive(Debug, Clone, Copy)]
pub struct SecretPlace<'a> {
    pub tenant: &'a TenantId,
    pub name: &'a SecretName,
    pub version: u64,
}

/// A sealed value.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Distinguishes this version of the secret from every other. It follows from the nonce and the
    /// place, not from the value.
    pub mark: SecretMark,
    /// Names the key that sealed it.
    pub key: String,
    /// The nonce and the sealed value with its tag, in base64.
    pub text: String,
}

/// The key that seals secrets.
pub struct SealingKey {
    aead: LessSafeKey,
    marks: hmac::Key,
    requests: hmac::Key,
    /// A public name of the key, by which a wrong one is recognised.
    id: String,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// Makes the text of a new key.
///
/// # Errors
/// Returns an error if the system has no randomness.
pub fn new_key(random: &Random) -> Result<Zeroizing<String>, RandomError> {
    let key = Zeroizing::new(random.bytes::<KEY_LEN>()?);
    Ok(Zeroizing::new(format!("{FORM}.{}\n", URL_SAFE_NO_PAD.encode(*key))))
}

impl SealingKey {
    /// Reads the key from a credential of the unit or, without one, from the controller's folder.
    ///
    /// # Errors
    /// Returns why there is no key.
    pub fn load(credentials: Option<&Path>, folder: &Path) -> Result<Self, NoKey> {
        let path = folder.join(KEY_FILE);
        let given = credentials.map(|folder| folder.join(KEY_FILE));
        let given = given.filter(|path| path.exists()).unwrap_or_else(|| path.clone());
        match regular_file::read_to_string(&given) {
            // The unit gives an empty credential if root has no key to give.
            Ok(text) if text.trim() == NO_CREDENTIAL => Err(NoKey::Missing { path }),
            Ok(text) => Self::parse(&Zeroizing::new(text)).ok_or(NoKey::Invalid { path: given }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NoKey::Missing { path }),
            Err(error) => Err(NoKey::Unreadable { path: given, reason: error.to_string() }),
        }
    }

    /// Reads the text of a key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let key = text.trim_end().strip_prefix(FORM)?.strip_prefix('.')?;
        let key = Zeroizing::new(URL_SAFE_NO_PAD.decode(key).ok()?);
        if key.len() != KEY_LEN {
            return None;
        }
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&key);
        let seal = derived.expand(SEAL, &AES_256_GCM).ok()?;
        let marks = derived.expand(MARKS, hmac::HMAC_SHA256).ok()?;
        let requests = hmac::Key::from(derived.expand(REQUESTS, hmac::HMAC_SHA256).ok()?);
        let (aead, marks) = (LessSafeKey::new(UnboundKey::from(seal)), hmac::Key::from(marks));
        let id = hex(&hmac::sign(&marks, b"id").as_ref()[..KEY_ID_LEN]);
        Some(Self { aead, marks, requests, id })
    }

    /// Returns the public name of the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns a keyed hash of a value that a request gives, in hexadecimal digits. Without the key
    /// it says nothing about the value, also if that is easily guessed.
    #[must_use]
    pub fn request_hash(&self, value: &str) -> String {
        hex(hmac::sign(&self.requests, value.as_bytes()).as_ref())
    }

    /// Seals a value.
    ///
    /// # Errors
    /// Returns an error if the system has no randomness.
    pub fn seal(
        &self,
        place: SecretPlace<'_>,
        value: &SecretText,
        random: &Random,
    ) -> Result<Sealed, RandomError> {
        let nonce = random.bytes::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(value.reveal().as_bytes().to_vec());
        let nonce_value = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(place.text());
        self.aead
            .seal_in_place_append_tag(nonce_value, aad, &mut *sealed)
            .expect("a value is far shorter than the limit of AES-GCM");
        let marked = [place.text().as_bytes(), nonce.as_slice()].concat();
        let mark = hex(&hmac::sign(&self.marks, &marked).as_ref()[..MARK_LEN]);
        Ok(Sealed {
            mark: mark.parse().expect("16 bytes are 32 hexadecimal digits"),
            key: self.id.clone(),
            text: STANDARD.encode([nonce.as_slice(), sealed.as_slice()].concat()),
        })
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// Returns an error if another key sealed it, or the record was changed or moved.
    pub fn open(
        &self,
        place: SecretPlace<'_>,
        version: &SealedVersion,
    ) -> Result<SecretText, UnsealError> {
        if version.key != self.id {
            let (sealed_with, own) = (version.key.clone(), self.id.clone());
            return Err(UnsealError::OtherKey { sealed_with, own });
        }
        let bytes = STANDARD.decode(&version.sealed).map_err(|_other| UnsealError::Damaged)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(UnsealError::Damaged)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.aead.open_in_place(nonce, Aad::from(place.text()), &mut sealed);
        let opened = opened.map_err(|_unspecified| UnsealError::Damaged)?;
        let text = std::str::from_utf8(opened).map_err(|_not_text| UnsealError::Damaged)?;
        SecretText::read(Zeroizing::new(text.to_owned())).map_err(UnsealError::Invalid)
    }
}

/// The content of the credential that stands for none (see `systemd/omlcontroller.service`).
const NO_CREDENTIAL: &str = "none";

impl SecretPlace<'_> {
    /// Returns what is authenticated with the value. No name contains a slash.
    fn text(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.name, self.version)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
