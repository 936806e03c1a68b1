use std::sync::LazyLock;

use super::*;

const OWN: &str = "oml-asterisk-server";

fn hash() -> ContentHash {
    ContentHash::of(b"workload")
}

fn digest() -> &'static Digest {
    static DIGEST: LazyLock<Digest> = LazyLock::new(|| named(1).parse().unwrap());
    &DIGEST
}

fn named(number: u32) -> String {
    format!("sha256:{number:064}")
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// Judges a container of that name whose image is the labelled one, on a host of its tenant.
fn by_name(name: &str, excuse: Excuse<'_>) -> Option<NotOurs> {
    let (hash, acme) = (hash(), tenant("acme"));
    not_ours(found(name, &hash, &acme), Some(&acme), excuse)
}

fn supervised(id: &str) -> Excuse<'_> {
    Excuse { supervised: Some(id), ..Excuse::NONE }
}

fn found<'a>(name: &'a str, hash: &'a ContentHash, tenant: &'a TenantId) -> LabelledContainer<'a> {
    LabelledContainer {
        id: "c0ffee",
        name,
        tenant,
        own_name: Some(OWN),
        hash,
        digest: digest(),
        labelled_image: Some("sha256:1"),
        image: Some("sha256:1"),
        image_name: None,
    }
}

#[test]
fn a_container_with_one_of_our_names_is_ours() {
    let spare = format!("{OWN}-next-{}", hash().short());
    for name in [OWN, "oml-asterisk-server-prev", &spare, &format!("{spare}-2")] {
        assert_eq!(by_name(name, Excuse::NONE), None, "{name}");
    }
}

#[test]
fn a_container_with_another_name_is_foreign() {
    let other = format!("{OWN}-next-{}", ContentHash::of(b"other").short());
    for name in ["zen_curie", "oml-asterisk-server-2", "oml-asterisk", &other, ""] {
        assert_eq!(by_name(name, Excuse::NONE), Some(NotOurs::OtherName), "{name}");
        assert_eq!(by_name(name, supervised("beef")), Some(NotOurs::OtherName), "{name}");
    }
}

#[test]
fn the_supervised_container_is_ours_under_every_name() {
    assert_eq!(by_name("renamed", supervised("c0ffee")), None);
}

#[test]
fn a_container_that_bears_the_name_of_another_component_of_the_host_is_ours() {
    let neighbours = ["oml-redis-server".to_owned(), OWN.to_owned()].into();
    let excuse = Excuse { neighbours: &neighbours, ..Excuse::NONE };
    for name in ["oml-redis-server", "oml-redis-server-prev"] {
        assert_eq!(by_name(name, excuse), None, "{name}");
        assert_eq!(by_name(name, Excuse::NONE), Some(NotOurs::OtherName), "{name}");
    }
    assert_eq!(by_name("oml-redis", excuse), Some(NotOurs::OtherName));
    let (hash, acme, other) = (hash(), tenant("acme"), tenant("other"));
    let copy = LabelledContainer { image: Some("sha256:2"), ..found(OWN, &hash, &acme) };
    assert_eq!(not_ours(copy, Some(&acme), excuse), Some(NotOurs::OtherImage));
    let exchanged = found("oml-redis-server", &hash, &acme);
    assert_eq!(not_ours(exchanged, Some(&other), excuse), Some(NotOurs::OtherTenant));
}

#[test]
fn a_copy_is_foreign_even_under_our_name_or_if_a_supervisor_holds_it() {
    let (hash, acme) = (hash(), tenant("acme"));
    let copy = LabelledContainer { image: Some("sha256:2"), ..found(OWN, &hash, &acme) };
    assert_eq!(not_ours(copy, Some(&acme), supervised("c0ffee")), Some(NotOurs::OtherImage));
}

#[test]
fn a_container_of_an_earlier_release_is_judged_by_the_name_of_its_image() {
    let (hash, acme) = (hash(), tenant("acme"));
    let decide = |image: &str| {
        let earlier = LabelledContainer {
            labelled_image: None,
            image_name: Some(image),
            ..found("oml-asterisk-server-prev", &hash, &acme)
        };
        not_ours(earlier, Some(&acme), Excuse::NONE)
    };
    let by_digest = |number| format!("docker.io/omnileads/asterisk@{}", named(number));
    assert_eq!(decide(&by_digest(1)), None);
    assert_eq!(decide(&format!("mirror.example:5000/asterisk:7@{}", named(1))), None);
    assert_eq!(decide(&named(7)), None, "its name was removed, so the engine shows its id");
    for copy in [&by_digest(2), "dbg:1", "dbg", "localhost:5000/dbg", "c0ffee"] {
        assert_eq!(decide(copy), Some(NotOurs::OtherImage), "{copy}");
    }
}

#[test]
fn a_container_of_an_earlier_release_is_judged_by_name_and_tenant() {
    let (hash, acme, other) = (hash(), tenant("acme"), tenant("other"));
    let earlier = |name| LabelledContainer { labelled_image: None, ..found(name, &hash, &acme) };
    assert_eq!(not_ours(earlier(OWN), Some(&acme), Excuse::NONE), None);
    assert_eq!(not_ours(earlier("dbg"), Some(&acme), Excuse::NONE), Some(NotOurs::OtherName));
    assert_eq!(not_ours(earlier(OWN), Some(&other), Excuse::NONE), Some(NotOurs::OtherTenant));
}

#[test]
fn a_container_of_another_tenant_is_foreign_and_an_unknown_tenant_proves_nothing() {
    let (hash, acme, other) = (hash(), tenant("acme"), tenant("other"));
    let container = found(OWN, &hash, &acme);
    assert_eq!(not_ours(container, Some(&other), supervised("c0ffee")), Some(NotOurs::OtherTenant));
    assert_eq!(not_ours(container, None, Excuse::NONE), None);
}

#[test]
fn an_image_is_the_same_with_and_without_the_name_of_its_hash() {
    let (hash, acme) = (hash(), tenant("acme"));
    let podman = LabelledContainer { image: Some("1"), ..found(OWN, &hash, &acme) };
    assert_eq!(not_ours(podman, Some(&acme), Excuse::NONE), None);
}

#[test]
fn a_container_whose_document_cannot_be_read_is_judged_by_image_and_tenant() {
    let (hash, acme) = (hash(), tenant("acme"));
    let unread = LabelledContainer { own_name: None, ..found("any", &hash, &acme) };
    assert_eq!(not_ours(unread, Some(&acme), Excuse::NONE), None);
    let copy = LabelledContainer { image: Some("sha256:2"), ..unread };
    assert_eq!(not_ours(copy, Some(&acme), Excuse::NONE), Some(NotOurs::OtherImage));
}
