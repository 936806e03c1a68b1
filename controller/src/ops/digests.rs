//! Resolves the tags that operators write to the digests that run. A tag that is already
//! recorded is not resolved again, so it always names the same image.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use oml_common::decide::plan::{ImageFacts, ImageName};
use oml_common::document::spec::TenantSpec;
use oml_common::id::{ComponentName, Digest, RevisionNumber, TenantId};
use oml_common::text::error::chain;
use oml_common::text::problem::{Problem, Problems};
use tokio::time::timeout;

use super::OpsError;
use super::change::{Changes, Questions};
use crate::records::keys;
use crate::registry::{RegistryError, ResolvedImage, TenantLogins};

/// The number of concurrent requests to registries.
const QUESTIONS_MAX: usize = 8;
/// The number of the latest revisions whose digests are used again.
const REVISIONS_MAX: usize = 1_000;
/// The number of earlier revisions that are read at once.
const READS_MAX: usize = 16;
/// The longest wait for registries if the change is refused anyway.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// The answers of the registries.
#[derive(Debug, Default)]
pub(super) struct RegistryAnswers {
    /// The images that do not exist.
    pub(super) problems: Problems,
    /// The failure of a registry that did not answer.
    pub(super) failure: Option<RegistryError>,
    /// What the registries reported about the images that they were asked for.
    pub(super) facts: BTreeMap<ImageName, ImageFacts>,
}

impl Changes {
    /// Adds the digests that the tenant's earlier revisions recorded, the newest first, so that a
    /// tag that was moved since names the same bytes as before.
    pub(super) async fn add_recorded(
        &self,
        tenant: &TenantId,
        last: RevisionNumber,
        images: &BTreeMap<ComponentName, ImageName>,
        known: &mut BTreeMap<ImageName, Digest>,
    ) {
        let numbers = (1..=last.0).rev().take(REVISIONS_MAX).map(RevisionNumber);
        // Read past the cache, which is for what is read often.
        let read = |number| async move {
            (number, self.records.get(&keys::revision(tenant, number)).await)
        };
        let mut revisions = pin!(stream::iter(numbers).map(read).buffered(READS_MAX));
        loop {
            let missing: Vec<&ImageName> =
                images.values().filter(|image| !known.contains_key(*image)).collect();
            if missing.is_empty() {
                return;
            }
            let Some((number, revision)) = revisions.next().await else { return };
            let recorded = match revision {
                Ok(Some(found)) if names_any(&found.value.spec_yaml, &missing) => {
                    self.recorded(tenant, number, &found.value.spec_yaml).await
                }
                Ok(_) => continue,
                Err(error) => Err(error.into()),
            };
            match recorded {
                Ok(recorded) => {
                    for (image, digest) in recorded {
                        known.entry(image).or_insert(digest);
                    }
                }
                // Its images are looked up in their registries instead.
                Err(error) => {
                    let error = chain(&error);
                    tracing::debug!(%tenant, %number, error, "cannot read an earlier revision");
                }
            }
        }
    }

    /// Returns the digests that a revision with this specification recorded.
    async fn recorded(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
        spec_yaml: &str,
    ) -> Result<BTreeMap<ImageName, Digest>, OpsError> {
        let Some(plan) = self.tenants.plan_of(tenant, number).await? else {
            return Ok(BTreeMap::new());
        };
        let spec = TenantSpec::parse(spec_yaml).map_err(OpsError::Problems)?;
        Ok(plan.digests(&spec))
    }

    /// Adds the digest of every image that is not in `known`. If the change is refused
    /// anyway, the wait for registries is short.
    pub(super) async fn resolve(
        &self,
        questions: Questions<'_>,
        known: &mut BTreeMap<ImageName, Digest>,
    ) -> RegistryAnswers {
        let Questions { spec, images, logins, is_refused } = questions;
        let missing: BTreeSet<ImageName> =
            images.values().filter(|image| !known.contains_key(*image)).cloned().collect();
        let asked: Vec<_> = missing.into_iter().map(|image| self.ask(image, logins)).collect();
        let mut asked = stream::iter(asked).buffer_unordered(QUESTIONS_MAX);
        let mut answers = RegistryAnswers::default();
        let all = async {
            while let Some((image, answer)) = asked.next().await {
                match answer {
                    Ok(ResolvedImage { digest, facts }) => {
                        known.insert(image.clone(), digest);
                        answers.facts.insert(image, facts);
                    }
                    Err(error @ RegistryError::NotFound { .. }) => {
                        answers.problems.0.extend(not_found(spec, images, &image, &error));
                    }
                    Err(
                        error @ (RegistryError::Unauthorized { .. }
                        | RegistryError::Refused { .. }
                        | RegistryError::Untrusted { .. }
                        | RegistryError::Unavailable { .. }),
                    ) => answers.failure = Some(error),
                }
            }
        };
        if !is_refused {
            all.await;
        } else if timeout(REFUSED_WAIT, all).await.is_err() {
            tracing::debug!("registries were not waited for: the change is refused anyway");
        }
        answers
    }

    async fn ask(
        &self,
        image: ImageName,
        logins: &TenantLogins,
    ) -> (ImageName, Result<ResolvedImage, RegistryError>) {
        let answer = self.registries.resolve_as(logins, &image.repository, &image.version).await;
        (image, answer)
    }
}

/// Returns true if the text of a specification has the version of one of the images as a word.
/// A plan is large, and most often none of the versions is in it.
fn names_any(spec_yaml: &str, images: &[&ImageName]) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut words = spec_yaml.split(|c| !is_part(c));
    let version = |image: &ImageName| {
        // Of a digest, the word is what follows the colon.
        let word = image.version.reference();
        word.rsplit_once(':').map_or(word, |(_, digits)| digits).to_owned()
    };
    let versions: BTreeSet<String> = images.iter().copied().map(version).collect();
    words.any(|word| versions.contains(word))
}

fn not_found<'a>(
    spec: &'a TenantSpec,
    images: &'a BTreeMap<ComponentName, ImageName>,
    image: &'a ImageName,
    error: &'a RegistryError,
) -> impl Iterator<Item = Problem> + 'a {
    let users = images.iter().filter(move |(_, used)| *used == image);
    users.map(move |(component, _)| {
        let path = format!("components.{component}");
        let problem = spec.problem(&format!("{path}.version"), error.to_string());
        // In the short form, the component's own line contains the version.
        let line = problem.line.or(spec.problem(&path, "").line);
        Problem { line, ..problem }.hint("check the version and that the image was pushed")
    })
}
