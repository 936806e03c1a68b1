//! What is asked of a directory in a row, until it has to be waited for.

use oml_common::decide::acme::{
    AcmeRefusal, OrderStep, REASON_CHARS_MAX, goes_on, order_step, poll_ms,
};
use oml_common::document::tls_secret::TlsSecret;
use oml_common::text::error::chain;
use oml_common::text::printable::shortened;
use oml_common::text::secret_text::SecretText;
use zeroize::Zeroizing;

use super::{Ordering, Orders};
use crate::acme::{AccountPlace, AcmeError, OpenAccount, OpenOrder};
use crate::ops::OpsError;
use crate::ops::secrets::{GivenPem, OrderedPem};
use crate::pki::{self, PkiError};
use crate::records::Batch;
use crate::records::values::{AcmeAccount, AcmeOrder, AcmeRecord};
use crate::store::StoreError;

/// The number of steps of an order in a row. Each of them is taken once at most.
const STEPS_MAX: usize = 4;

/// One look at the order of a tenant.
pub(super) struct Turn<'a> {
    pub(super) orders: &'a Orders,
    pub(super) ordering: Ordering<'a>,
    /// The account, as it was read.
    pub(super) record: AcmeRecord,
}

/// The end of a look.
pub(super) enum Ended {
    /// The directory is asked again about the order with this address after so many milliseconds.
    Waits { order: String, wait_ms: u64 },
    /// The certificate has come.
    Came(OrderedPem),
}

/// Why a look ended early.
pub(super) enum Stopped {
    Refused(AcmeRefusal),
    Ops(OpsError),
}

impl From<AcmeError> for Stopped {
    fn from(AcmeError(refusal): AcmeError) -> Self {
        Self::Refused(refusal)
    }
}

impl From<OpsError> for Stopped {
    fn from(error: OpsError) -> Self {
        match of_key(&error) {
            Some(reason) => Self::Refused(AcmeRefusal {
                keeps_order: true,
                ..AcmeRefusal::of_order(shortened(&reason, REASON_CHARS_MAX))
            }),
            None => Self::Ops(error),
        }
    }
}

/// Returns what is wrong with the key for secrets, if that is the error: it stays wrong until an operator acts, so it
/// is shown with the order.
fn of_key(error: &OpsError) -> Option<String> {
    let is_sealed = matches!(error, OpsError::Sealed { .. });
    let hint = if is_sealed { "; if it is lost, apply the document again" } else { "" };
    let is_of_key = is_sealed || matches!(error, OpsError::NoKey(_) | OpsError::OtherKey(_));
    is_of_key.then(|| format!("{}{hint}", chain(error)))
}

impl From<PkiError> for Stopped {
    fn from(error: PkiError) -> Self {
        OpsError::from(error).into()
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        OpsError::from(error).into()
    }
}

/// An order that is open at its directory.
struct Open {
    order: OpenOrder,
    known: AcmeOrder,
    key: SecretText,
}

impl Turn<'_> {
    /// Returns the order that goes on; none if another one has to begin.
    pub(super) fn under_way(&self) -> Option<&AcmeOrder> {
        let (Ordering { tls, acme, .. }, now) = (self.ordering, self.orders.env.now());
        self.record.order.as_ref().filter(|it| goes_on(it, tls, acme, now))
    }

    /// Takes every step that can be taken now.
    pub(super) async fn run(mut self) -> Result<Ended, Stopped> {
        let account = self.account().await?;
        let Open { mut order, known, key } = self.open(&account).await?;
        for _ in 0..STEPS_MAX {
            match order_step(&order.view().await?) {
                OrderStep::Answer => {
                    order.answer(&self.record.thumbprint).await?;
                    break;
                }
                OrderStep::Wait => break,
                OrderStep::Finalize => {
                    let names = &self.ordering.tls.names;
                    order.finalize(&pki::certificate_request(names, key.reveal())?).await?;
                }
                OrderStep::Download => match order.certificate().await? {
                    Some(chain) => return Ok(Ended::Came(self.pem(chain, &key))),
                    None => break,
                },
                OrderStep::Fail(reason) => {
                    return Err(Stopped::Refused(AcmeRefusal::of_order(reason)));
                }
            }
        }
        let wait_ms = poll_ms(&known, order.wanted_ms(), self.orders.env.now());
        Ok(Ended::Waits { order: known.url, wait_ms })
    }

    fn pem(&self, chain: String, key: &SecretText) -> OrderedPem {
        let (certificate, key) = (Zeroizing::new(chain), Zeroizing::new(key.reveal().to_owned()));
        let directory = self.ordering.acme.directory.clone();
        OrderedPem { pem: GivenPem { certificate, key }, directory }
    }

    /// Opens the account, which is registered if the directory does not have it.
    async fn account(&mut self) -> Result<OpenAccount, Stopped> {
        let (Ordering { tenant, acme, .. }, orders) = (self.ordering, self.orders);
        let (secret, version) = (TlsSecret::AccountKey, self.record.key);
        let key = orders.secrets.open_key(tenant, secret, version).await?;
        let Some(key) = key else {
            let reason = "the key of the account is not kept; apply the document again";
            return Err(AcmeError::of_ours(reason.to_owned()).into());
        };
        let directory = acme.directory.as_str();
        let place = AccountPlace { directory, key_pem: key.reveal() };
        let known = self.record.account.clone().filter(|known| known.directory == directory);
        let account = match &known {
            Some(known) => orders.directories.open(place, &known.url).await?,
            None => orders.directories.register(place, &acme.contact).await?,
        };
        if known.as_ref().is_some_and(|known| known.contact == acme.contact) {
            return Ok(account);
        }
        if known.is_some() {
            account.write_to(&acme.contact).await?;
        }
        let registered = AcmeAccount {
            directory: acme.directory.clone(),
            contact: acme.contact.clone(),
            url: account.url().to_owned(),
        };
        let registered = Some(registered);
        let change = |record| AcmeRecord { account: registered.clone(), ..record };
        orders.update(tenant, None, change).await?;
        self.record.account = registered;
        Ok(account)
    }

    /// Opens the order under way, or begins one.
    async fn open(&self, account: &OpenAccount) -> Result<Open, Stopped> {
        let (Ordering { tenant, .. }, orders) = (self.ordering, self.orders);
        if let Some(known) = self.under_way().cloned() {
            let key = orders.secrets.open_key(tenant, TlsSecret::OrderKey, known.key).await?;
            if let Some(key) = key {
                let order = account.reopen(&known.url).await?;
                return Ok(Open { order, known, key });
            }
        }
        self.begin(account).await
    }

    /// Orders a certificate. Its key is kept before the directory is asked, so that no order is there without
    /// one, and the order is recorded before anything is proved.
    async fn begin(&self, account: &OpenAccount) -> Result<Open, Stopped> {
        let (Ordering { tenant, tls, acme }, orders) = (self.ordering, self.orders);
        let (version, key) = self.new_key().await?;
        let names: Vec<String> = tls.names.iter().map(ToString::to_string).collect();
        let order = account.order(&names).await?;
        let known = AcmeOrder {
            url: order.url().to_owned(),
            directory: acme.directory.clone(),
            names,
            key: version,
            begun: orders.env.now(),
        };
        let change = |record| AcmeRecord { order: Some(known.clone()), ..record };
        orders.update(tenant, None, change).await?;
        Ok(Open { order, known, key })
    }

    /// Makes the key of another order, and returns it as it was kept, with its version.
    async fn new_key(&self) -> Result<(u64, SecretText), Stopped> {
        let (tenant, orders, secret) = (self.ordering.tenant, self.orders, TlsSecret::OrderKey);
        let key_pem = pki::new_key()?;
        let sealed = orders.secrets.seal_key(&orders.who, tenant, secret, key_pem).await?;
        let version = sealed.record.last;
        orders.records.commit(sealed.put(Batch::default(), tenant)).await?;
        let key = orders.secrets.open_key(tenant, secret, version).await?;
        let reason = "the key of the order is not kept; it is made again at the next attempt";
        let key = key.ok_or_else(|| AcmeError::of_ours(reason.to_owned()))?;
        Ok((version, key))
    }
}
