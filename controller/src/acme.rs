//! Speaks ACME (RFC 8555) with the directories from which tenants order certificates. Every request is bounded
//! in time and size, goes through the proxy that is for its address, and nothing is decided here.

use std::sync::Arc;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier,
    Key, NewOrder, Order, OrderStatus,
};
use oml_common::decide::acme::{
    AuthorizationState, AuthorizationView, ChallengeState, OrderState, OrderView,
};
use oml_common::id::AccountThumbprint;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::registry::Http;

mod client;
mod error;

use self::client::{Client, RetryAfter};
pub use self::error::AcmeError;

/// The ACME directories, and how they are reached.
#[derive(Debug, Clone)]
pub struct Directories {
    clock: Clock,
    http: Arc<Http>,
    /// The authorities that are trusted for directories besides those of the system.
    trusted: Arc<[CertificateDer<'static>]>,
}

/// An account at a directory.
#[derive(Debug, Clone, Copy)]
pub struct AccountPlace<'a> {
    /// The address of the directory.
    pub directory: &'a str,
    /// The private key of the account, PKCS #8 in PEM.
    pub key_pem: &'a str,
}

/// An account that requests are signed by.
pub struct OpenAccount {
    account: Account,
    said: Arc<RetryAfter>,
}

/// An order at a directory.
pub struct OpenOrder {
    order: Order,
    said: Arc<RetryAfter>,
}

impl Directories {
    /// Makes the access to directories; nothing is asked yet.
    #[must_use]
    pub fn new(clock: Clock, proxies: Proxies, trusted: Vec<CertificateDer<'static>>) -> Self {
        let http = Arc::new(Http::new(clock.clone(), proxies));
        Self { clock, http, trusted: trusted.into() }
    }

    /// Registers the key of an account, whose holder agrees to the terms of the directory. An account that is
    /// there already is found again (RFC 8555 §7.3.1).
    ///
    /// # Errors
    /// Returns why the directory does not register it.
    pub async fn register(
        &self,
        place: AccountPlace<'_>,
        contact: &str,
    ) -> Result<OpenAccount, AcmeError> {
        let said = Arc::<RetryAfter>::default();
        let der = key_of(place.key_pem)?;
        let key = Key::from_pkcs8_der(der.clone_key()).map_err(|error| said.error(error))?;
        let key = (key, PrivateKeyDer::Pkcs8(der));
        let builder = Account::builder_with_http(Box::new(self.client(&said)));
        let made = builder.create_from_key(key, place.directory.to_owned()).await;
        let (account, _credentials) = made.map_err(|error| said.error(error))?;
        let account = OpenAccount { account, said };
        account.write_to(contact).await?;
        Ok(account)
    }

    /// Opens an account that was registered.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be read, or the key is none.
    pub async fn open(&self, place: AccountPlace<'_>, url: &str) -> Result<OpenAccount, AcmeError> {
        let said = Arc::<RetryAfter>::default();
        let key = key_of(place.key_pem)?;
        let builder = Account::builder_with_http(Box::new(self.client(&said)));
        let opened = builder.from_parts(url.to_owned(), key, place.directory.to_owned()).await;
        Ok(OpenAccount { account: opened.map_err(|error| said.error(error))?, said })
    }

    fn client(&self, said: &Arc<RetryAfter>) -> Client {
        Client {
            clock: self.clock.clone(),
            http: Arc::clone(&self.http),
            trusted: Arc::clone(&self.trusted),
            said: Arc::clone(said),
        }
    }
}

impl OpenAccount {
    /// Returns the address of the account.
    #[must_use]
    pub fn url(&self) -> &str {
        self.account.id()
    }

    /// Gives the directory the mail address to which it writes.
    ///
    /// # Errors
    /// Returns why the directory does not take it.
    pub async fn write_to(&self, contact: &str) -> Result<(), AcmeError> {
        let address = format!("mailto:{contact}");
        let taken = self.account.update_contacts(&[&address]).await;
        taken.map_err(|error| self.said.error(error))
    }

    /// Orders a certificate for these host names.
    ///
    /// # Errors
    /// Returns why the directory does not take the order.
    pub async fn order(&self, names: &[String]) -> Result<OpenOrder, AcmeError> {
        let names: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        let order = self.account.new_order(&NewOrder::new(&names)).await;
        self.opened(order)
    }

    /// Opens an order that was made before.
    ///
    /// # Errors
    /// Returns why the directory does not show it.
    pub async fn reopen(&self, url: &str) -> Result<OpenOrder, AcmeError> {
        let order = self.account.order(url.to_owned()).await;
        self.opened(order)
    }

    fn opened(&self, order: Result<Order, instant_acme::Error>) -> Result<OpenOrder, AcmeError> {
        let order = order.map_err(|error| self.said.error(error))?;
        Ok(OpenOrder { order, said: Arc::clone(&self.said) })
    }
}

impl OpenOrder {
    /// Returns the address of the order.
    #[must_use]
    pub fn url(&self) -> &str {
        self.order.url()
    }

    /// Returns how long the directory wants to be asked nothing, in milliseconds, if it said so in its last
    /// answer.
    #[must_use]
    pub fn wanted_ms(&self) -> Option<u64> {
        self.said.ms()
    }

    /// Returns what the directory says of the order.
    ///
    /// # Errors
    /// Returns why the directory does not show a part of it.
    pub async fn view(&mut self) -> Result<OrderView, AcmeError> {
        let state = self.order.state();
        let error = state.error.as_ref().map(error::reason);
        let (state, has_proofs) = match state.status {
            OrderStatus::Pending => (OrderState::Pending, true),
            OrderStatus::Ready => (OrderState::Ready, false),
            OrderStatus::Processing => (OrderState::Processing, false),
            OrderStatus::Valid => (OrderState::Valid, false),
            OrderStatus::Invalid => (OrderState::Invalid, true),
        };
        let mut authorizations = Vec::new();
        if has_proofs {
            let mut found = self.order.authorizations();
            while let Some(next) = found.next().await {
                let next = next.map_err(|error| self.said.error(error))?;
                authorizations.push(view_of(&next));
            }
        }
        Ok(OrderView { state, error, authorizations })
    }

    /// Gives the directory the word that its open challenges can be asked for.
    ///
    /// # Errors
    /// Returns why it does not take the word, or that the web servers answer for another account.
    pub async fn answer(&mut self, thumbprint: &AccountThumbprint) -> Result<(), AcmeError> {
        let mut found = self.order.authorizations();
        while let Some(next) = found.next().await {
            let mut next = next.map_err(|error| self.said.error(error))?;
            if view_of(&next).challenge != Some(ChallengeState::Open) {
                continue;
            }
            let Some(mut challenge) = next.challenge(ChallengeType::Http01) else { continue };
            let expected = format!("{}.{thumbprint}", challenge.token);
            if challenge.key_authorization().as_str() != expected {
                let reason = "the web servers answer for another account than the one that orders";
                return Err(AcmeError::of_ours(reason.to_owned()));
            }
            challenge.set_ready().await.map_err(|error| self.said.error(error))?;
        }
        Ok(())
    }

    /// Requests the certificate with a certificate request (PKCS #10) in DER.
    ///
    /// # Errors
    /// Returns why the directory refuses it.
    pub async fn finalize(&mut self, request: &[u8]) -> Result<(), AcmeError> {
        let taken = self.order.finalize_csr(request).await;
        taken.map_err(|error| self.said.error(error))
    }

    /// Fetches the certificate with its chain, in PEM; none if it is still being issued.
    ///
    /// # Errors
    /// Returns why the directory does not give it.
    pub async fn certificate(&mut self) -> Result<Option<String>, AcmeError> {
        self.order.certificate().await.map_err(|error| self.said.error(error))
    }
}

/// Returns what the directory says of the proof of a host name.
fn view_of(authorization: &AuthorizationHandle<'_>) -> AuthorizationView {
    let challenges = authorization.challenges.iter();
    let http = challenges.rev().find(|it| it.r#type == ChallengeType::Http01);
    let challenge = http.map(|it| match it.status {
        ChallengeStatus::Pending => ChallengeState::Open,
        ChallengeStatus::Processing | ChallengeStatus::Valid | ChallengeStatus::Invalid => {
            ChallengeState::Checked
        }
    });
    let state = match authorization.status {
        AuthorizationStatus::Pending => AuthorizationState::Pending,
        AuthorizationStatus::Valid => AuthorizationState::Valid,
        AuthorizationStatus::Invalid
        | AuthorizationStatus::Revoked
        | AuthorizationStatus::Expired
        | AuthorizationStatus::Deactivated => AuthorizationState::Ended,
    };
    let error = http.and_then(|it| it.error.as_ref()).map(error::reason);
    let name = authorization.identifier().to_string();
    AuthorizationView { name, state, challenge, error }
}

/// Reads the key of an account.
fn key_of(pem: &str) -> Result<PrivatePkcs8KeyDer<'static>, AcmeError> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes());
    key.map_err(|_not_a_key| AcmeError::of_ours("the key of the account cannot be read".to_owned()))
}
