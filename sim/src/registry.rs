//! A registry that all hosts of a world share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where images come from; clones are the same registry.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_away: bool,
    /// It has every image, unless one is refused.
    has_all: bool,
    offers: BTreeMap<String, Result<(), Refusal>>,
}

/// Why an image is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) detail: String,
    pub(crate) transient: bool,
}

impl Registry {
    /// A registry that has no image yet.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A registry that has every image anybody asks for.
    #[must_use]
    pub fn with_everything() -> Self {
        let registry = Self::default();
        registry.state().has_all = true;
        registry
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the image of this digest from now on.
    pub fn offer(&self, digest: &str) {
        self.state().offers.insert(digest.to_owned(), Ok(()));
    }

    /// Refuses the image of this digest from now on.
    pub fn refuse(&self, digest: &str, detail: &str, transient: bool) {
        let refusal = Refusal { detail: detail.to_owned(), transient };
        self.state().offers.insert(digest.to_owned(), Err(refusal));
    }

    /// Stops or begins to answer.
    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Whether it does not answer.
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
