//! A registry of images that several hosts share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A registry of images. A clone is the same registry.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_away: bool,
    /// It has every image that is not refused.
    has_all: bool,
    offers: BTreeMap<String, Result<(), Refusal>>,
}

/// The reason why an image cannot be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) detail: String,
    pub(crate) transient: bool,
}

impl Registry {
    /// Creates a registry without images.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates a registry that has every image.
    #[must_use]
    pub fn with_everything() -> Self {
        let registry = Self::default();
        registry.state().has_all = true;
        registry
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the image of this digest.
    pub fn offer(&self, digest: &str) {
        self.state().offers.insert(digest.to_owned(), Ok(()));
    }

    /// Refuses the image of this digest from now on.
    pub fn refuse(&self, digest: &str, detail: &str, transient: bool) {
        let refusal = Refusal { detail: detail.to_owned(), transient };
        self.state().offers.insert(digest.to_owned(), Err(refusal));
    }

    /// Makes the registry stop answering, or answer again.
    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Returns true if it does not answer.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.state().is_away
    }

    pub(crate) fn give(&self, digest: &str) -> Result<(), Refusal> {
        let state = self.state();
        if state.is_away {
            let detail = "the registry does not answer".to_owned();
            return Err(Refusal { detail, transient: true });
        }
        match state.offers.get(digest) {
            Some(answer) => answer.clone(),
            None if state.has_all => Ok(()),
            None => Err(Refusal { detail: "manifest unknown".to_owned(), transient: false }),
        }
    }
}
