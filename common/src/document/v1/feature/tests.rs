use super::*;

#[test]
fn a_feature_is_read_by_the_name_it_is_written_with() {
    for feature in Feature::ALL {
        assert_eq!(feature.as_str().parse(), Ok(feature));
    }
    let unique: BTreeSet<&str> = Feature::ALL.iter().map(|feature| feature.as_str()).collect();
    assert_eq!(unique.len(), Feature::ALL.len());
}

#[test]
fn words_of_later_releases_are_left_out() {
    let known = Feature::known(["container", "teleport", "probe-tcp"]);
    assert_eq!(known, BTreeSet::from([Feature::Container, Feature::ProbeTcp]));
}
