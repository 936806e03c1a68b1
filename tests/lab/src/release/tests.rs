use super::*;

#[test]
fn a_release_is_known_by_its_number_only() {
    for release in Debian::ALL {
        assert_eq!(release.number().parse::<Debian>().unwrap(), release);
    }
    for text in ["", "11", "trixie", " 13", "13 "] {
        let error = text.parse::<Debian>().unwrap_err().to_string();
        assert!(error.contains("use 12 or 13"), "{error}");
    }
}

/// Two checkouts share the cache, and a changed stamp would make each build again what the other one has.
#[test]
fn every_release_has_names_of_its_own_in_the_cache() {
    let names = Debian::ALL.map(|release| {
        let (system, host) = release.recipe();
        [(system.name, system.stamp()), (host.name, host.stamp(&system))]
    });
    let mut names: Vec<_> = names.iter().flatten().collect();
    names.dedup_by_key(|(name, _)| *name);
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn the_programs_that_tests_look_at_a_host_with_are_on_every_release() {
    let (_, usual) = Debian::Bookworm.recipe();
    let (_, other) = Debian::Trixie.recipe();
    for package in usual.packages {
        assert!(other.packages.contains(package), "{package} is not on Debian 13");
    }
}
