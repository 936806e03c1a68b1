//! Decides whether a container that bears our labels is ours. Labels are copied with an image
//! (`docker commit`), so they alone prove nothing.

use std::collections::BTreeSet;

use crate::id::{ContentHash, Digest, TenantId};

/// The most spare names beside the plain one.
const SPARES: u8 = 9;
/// What an image's id begins with.
const ID_PREFIX: &str = "sha256:";

/// A container that bears our labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelledContainer<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub tenant: &'a TenantId,
    /// The name of its component's container by its own document; none if the document cannot
    /// be read.
    pub own_name: Option<&'a str>,
    /// The workload that it was created for.
    pub hash: &'a ContentHash,
    /// The digest of the image that it was created from, by its label.
    pub digest: &'a Digest,
    /// The id of that image, by its label; none if an earlier release created it.
    pub labelled_image: Option<&'a str>,
    /// The id of the image that it runs, by the engine.
    pub image: Option<&'a str>,
    /// The name by which that image was asked for, or its id if the engine forgot the name.
    pub image_name: Option<&'a str>,
}

/// The reason why a container that bears our labels is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOurs {
    /// Another tenant's agent made it, or one of this host before it was enrolled again.
    OtherTenant,
    /// It runs another image than the one that it was labelled for, so it is a copy.
    OtherImage,
    /// It bears a name that we did not give it.
    OtherName,
}

impl NotOurs {
    /// Returns what distinguishes such a container, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NotOurs::OtherTenant => "is another tenant's",
            NotOurs::OtherImage => "runs another image",
            NotOurs::OtherName => "has another name",
        }
    }
}

/// What makes a container ours that bears another name than its component's.
#[derive(Debug, Clone, Copy)]
pub struct Excuse<'a> {
    /// The id of the container that the component's supervisor holds: that one may have been
    /// renamed by hand.
    pub supervised: Option<&'a str>,
    /// The names of the containers of this host's components; none if the component has another
    /// container of that workload. Nobody else gives such a name, so somebody exchanged two of them. A
    /// second one was made by hand, perhaps with another command.
    pub neighbours: &'a BTreeSet<String>,
}

impl Excuse<'_> {
    /// The excuse of a container of which nothing is known but its labels.
    pub const NONE: Self = Self { supervised: None, neighbours: &BTreeSet::new() };

    fn covers(self, found: LabelledContainer<'_>) -> bool {
        let is_exchanged = |own: &String| found.name == own || found.name == previous_name(own);
        self.supervised == Some(found.id) || self.neighbours.iter().any(is_exchanged)
    }
}

/// Returns why a container is not ours, or none if it is. `tenant` is that of this host, if it
/// is known.
#[must_use]
pub fn not_ours(
    found: LabelledContainer<'_>,
    tenant: Option<&TenantId>,
    excuse: Excuse<'_>,
) -> Option<NotOurs> {
    if tenant.is_some_and(|tenant| tenant != found.tenant) {
        return Some(NotOurs::OtherTenant);
    }
    if runs_other_image(found) {
        return Some(NotOurs::OtherImage);
    }
    let is_named = found.own_name.is_none_or(|own| is_name_of(found.name, own, found.hash));
    if is_named || excuse.covers(found) { None } else { Some(NotOurs::OtherName) }
}

fn runs_other_image(found: LabelledContainer<'_>) -> bool {
    match (found.labelled_image, found.image) {
        (Some(labelled), Some(image)) => bare(labelled) != bare(image),
        (Some(_), None) => false,
        // Every release asks for an image by its digest, and a copy's image has only a tag.
        (None, _) => found.image_name.is_some_and(|name| match name.rsplit_once('@') {
            Some((_, digest)) => digest != found.digest.as_str(),
            None => !name.starts_with(ID_PREFIX),
        }),
    }
}

/// Returns true if that is a name which we give to a container: the component's own, that of
/// the previous one, or a spare.
#[must_use]
pub fn is_name_of(name: &str, own: &str, hash: &ContentHash) -> bool {
    name == own || name == previous_name(own) || spare_names(own, hash).any(|spare| spare == name)
}

/// Returns the name of the container that ran before.
#[must_use]
pub fn previous_name(own: &str) -> String {
    format!("{own}-prev")
}

/// Returns the names for a container that neither runs nor ran last, in the order in which they
/// are tried: a container that is not ours may hold one.
pub fn spare_names(own: &str, hash: &ContentHash) -> impl Iterator<Item = String> {
    let plain = format!("{own}-next-{}", hash.short());
    let numbered = (2..=SPARES).map({
        let plain = plain.clone();
        move |number| format!("{plain}-{number}")
    });
    std::iter::once(plain).chain(numbered)
}

/// Engines write an image's id with or without the name of its hash.
fn bare(image: &str) -> &str {
    image.trim_start_matches(ID_PREFIX)
}

#[cfg(test)]
mod tests;
