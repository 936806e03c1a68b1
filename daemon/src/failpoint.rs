//! Labelled places at which a test build ends the process, as a crash would.
//!
//! Without the feature `failpoints` nothing here does anything. With it, the
//! variable `OML_FAILPOINT` names a place. Where `OML_FAILPOINT_MARKERS` names a
//! folder, a marker file in it makes the crash happen once, so that the
//! restarted program goes on; without one it happens every time.

/// Ends the process here if this is the place that was named, or the simulated
/// program if whoever simulates it says so: nothing of it goes on, as after a crash.
#[cfg_attr(
    not(any(feature = "failpoints", feature = "sim")),
    expect(unused_variables, reason = "only test builds have places to end at")
)]
pub fn reach(place: &str) {
    #[cfg(feature = "sim")]
    if simulated::ask(simulated::Question::Reached, place) {
        std::panic::resume_unwind(Box::new("the program was killed"));
    }
    #[cfg(feature = "failpoints")]
    if is_named(place) && disarm(place) {
        std::process::abort();
    }
}

/// Whether the program would end at this place.
#[must_use]
pub fn is_armed(place: &str) -> bool {
    #[cfg(feature = "sim")]
    if simulated::ask(simulated::Question::IsNext, place) {
        return true;
    }
    is_named(place)
}

/// Returns true if the program must act as an earlier release that lacks this ability, because
/// `OML_FAILPOINT` is `without-` and its name.
#[must_use]
pub fn is_without(ability: &str) -> bool {
    is_named(&format!("without-{ability}"))
}

#[cfg(not(feature = "failpoints"))]
fn is_named(_place: &str) -> bool {
    false
}

/// Whether this place was named and not reached before.
#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "so that any program of a test can be told")]
fn is_named(place: &str) -> bool {
    let is_named = std::env::var("OML_FAILPOINT").is_ok_and(|named| named == place);
    is_named && !marker(place).is_some_and(|marker| marker.exists())
}

#[cfg(feature = "failpoints")]
#[expect(clippy::disallowed_methods, reason = "so that any program of a test can be told")]
fn marker(place: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("OML_FAILPOINT_MARKERS")?;
    Some(std::path::Path::new(&folder).join(place))
}

/// Whether the crash is still to happen: only the first to make the marker crashes.
#[cfg(feature = "failpoints")]
fn disarm(place: &str) -> bool {
    let Some(marker) = marker(place) else { return true };
    let has_folder = marker.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
    has_folder && std::fs::File::create_new(marker).is_ok()
}

pub use scope::{about, carry};
#[cfg(feature = "sim")]
pub use simulated::{Crashes, Question, simulate};

/// What a program is told that is simulated.
#[cfg(feature = "sim")]
mod simulated {
    use std::cell::RefCell;
    use std::sync::Arc;

    /// Is told of every place that is reached and of what it is about, and says
    /// whether the program ends there.
    pub type Crashes = Arc<dyn Fn(Question, &str, &str) -> bool + Send + Sync>;

    /// What is asked about a place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Question {
        /// Whether the program would end there.
        IsNext,
        /// Whether it ends now that it is there.
        Reached,
    }

    pub(super) fn ask(question: Question, place: &str) -> bool {
        let asked = SCOPE.try_with(|scope| (scope.crashes)(question, place, &scope.about.borrow()));
        // Outside a simulation nothing ends.
        asked.unwrap_or(false)
    }

    pub(super) struct Scope {
        pub(super) crashes: Crashes,
        pub(super) about: RefCell<String>,
    }

    tokio::task_local! {
        pub(super) static SCOPE: Scope;
    }

    /// Runs a program that ends where `crashes` says so.
    pub async fn simulate<F: Future>(crashes: Crashes, program: F) -> F::Output {
        SCOPE.scope(Scope { crashes, about: RefCell::default() }, program).await
    }
}

#[cfg(feature = "sim")]
mod scope {
    use std::cell::RefCell;

    use super::simulated::{SCOPE, Scope};

    /// What is reached from here on is about this.
    pub fn about(what: &str) {
        // Outside a simulation nobody asks.
        let _told = SCOPE.try_with(|scope| *scope.about.borrow_mut() = what.to_owned()).is_ok();
    }

    /// Takes the simulation along into a task of its own.
    pub fn carry<F: Future>(what: &str, part: F) -> impl Future<Output = F::Output> + use<F> {
        let crashes = SCOPE.try_with(|scope| scope.crashes.clone()).ok();
        let about = RefCell::new(what.to_owned());
        async move {
            match crashes {
                Some(crashes) => SCOPE.scope(Scope { crashes, about }, part).await,
                None => part.await,
            }
        }
    }
}

#[cfg(not(feature = "sim"))]
mod scope {
    /// What is reached from here on is about this.
    pub fn about(_what: &str) {}

    /// Runs a part of the program in a task of its own.
    pub fn carry<F: Future>(_what: &str, part: F) -> F {
        part
    }
}
