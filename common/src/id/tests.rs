//! Each kind of name accepts exactly what its rule allows.

use super::*;

fn accepts<T: std::str::FromStr>(good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(text.parse::<T>().is_ok(), "{text:?} was refused");
    }
    for text in bad {
        assert!(text.parse::<T>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn labels_are_lower_case_words() {
    let long = "a".repeat(64);
    accepts::<TenantId>(
        &["a", "acme", "acme-2", &"a".repeat(63)],
        &["", "Acme", "2acme", "acme-", "ac me", "ac/me", "acme\n", "é", "a\u{7}", &long],
    );
}

#[test]
fn versions_are_image_tags() {
    accepts::<Version>(
        &["230204.01", "1.26.0", "oml-196", "RELEASE.2023-09-27", "_x"],
        &["", ".1", "-1", "a b", "a:b", "a/b", "1\n", &"1".repeat(129)],
    );
}

#[test]
fn digests_name_their_algorithm() {
    let hex = "0123456789abcdef".repeat(4);
    accepts::<Digest>(
        &[&format!("sha256:{hex}")],
        &["", &hex, "sha256:", &format!("sha512:{hex}"), &format!("sha256:{}", hex.to_uppercase())],
    );
}

#[test]
fn repositories_may_start_with_a_registry_and_port() {
    accepts::<Repository>(
        &["omnileads/asterisk", "docker.io/omnileads/asterisk", "10.0.0.1:5000/omnileads/x_y.z"],
        &["", "/a", "a/", "a//b", "A/b", "host:0/x", "host:99999/x", "a/b:tag", "a b/c", "a/../b"],
    );
}

#[test]
fn a_repository_is_split_as_docker_does() {
    for (text, registry, name) in [
        ("nginx", "docker.io", "library/nginx"),
        ("library/nginx", "docker.io", "library/nginx"),
        ("omnileads/asterisk", "docker.io", "omnileads/asterisk"),
        ("docker.io/nginx", "docker.io", "library/nginx"),
        ("docker.io/omnileads/asterisk", "docker.io", "omnileads/asterisk"),
        ("index.docker.io/nginx", "docker.io", "library/nginx"),
        ("index.docker.io/omnileads/asterisk", "docker.io", "omnileads/asterisk"),
        // Docker adds no namespace here.
        ("registry-1.docker.io/library/nginx", "docker.io", "library/nginx"),
        ("10.0.0.1:5000/a/b", "10.0.0.1:5000", "a/b"),
        ("registry:5000/a", "registry:5000", "a"),
        ("localhost/a", "localhost", "a"),
        ("ghcr.io/a/b", "ghcr.io", "a/b"),
        ("mirror.docker.io/a", "mirror.docker.io", "a"),
    ] {
        let repository: Repository = text.parse().unwrap();
        assert_eq!((repository.registry().as_str(), repository.name().as_str()), (registry, name));
    }
}

#[test]
fn an_address_of_a_registry_has_one_key_whichever_way_people_write_it() {
    for hub in [
        "docker.io",
        "Docker.IO",
        "index.docker.io",
        "registry-1.docker.io",
        "https://index.docker.io/v1/",
        "https://registry-1.docker.io",
        "docker.io/omnileads",
    ] {
        assert_eq!(registry_key(hub), "docker.io", "{hub}");
    }
    assert_eq!(registry_key("https://Registry.Lab:5000/"), "registry.lab:5000");
    assert_eq!(registry_key("registry.lab"), "registry.lab");
}

#[test]
fn unit_names_end_in_service() {
    accepts::<UnitName>(
        &["asterisk.service", "postgres_vip.service", "a@b.service"],
        &[
            "",
            ".service",
            "asterisk",
            "asterisk.socket",
            "a/b.service",
            "../x.service",
            "a b.service",
        ],
    );
}

#[test]
fn the_name_of_a_template_can_be_read_and_is_known_as_one() {
    let instance_of = |name: &str| name.parse::<UnitName>().unwrap().instance_of_template();
    assert_eq!(instance_of("a@.service").as_deref(), Some("a@main.service"));
    assert_eq!((instance_of("a@b.service"), instance_of("a.service")), (None, None));
}

#[test]
fn generations_order_by_epoch_first() {
    let old = Generation { epoch: 1, number: 99 };
    let new = Generation { epoch: 2, number: 1 };
    assert!(old < new);
}

#[test]
fn the_error_of_a_long_input_is_short() {
    let Err(error) = "x ".repeat(1_000_000).parse::<TenantId>() else { unreachable!() };
    assert!(error.to_string().len() < 400);
}
