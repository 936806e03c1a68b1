use super::*;

#[test]
fn what_an_engine_shows_without_a_value_is_no_limit() {
    let host = HostConfig {
        memory_swap: Some(-1),
        memory_reservation: Some(0),
        cpu_shares: Some(0),
        blkio_weight: Some(0),
        cpuset_mems: Some(String::new()),
        ..HostConfig::default()
    };
    assert_eq!(limits(&host), FoundLimits::default());
}

#[test]
fn privileges_are_kept_off_by_an_option_with_or_without_a_value() {
    let found = |options: &[&str]| {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let host = HostConfig { security_opt: Some(options), ..HostConfig::default() };
        super::found(&host, &ContainerConfig::default()).may_gain_privileges
    };
    assert!(!found(&["label=disable", "no-new-privileges"]));
    assert!(!found(&["no-new-privileges:true"]) && !found(&["no-new-privileges=true"]));
    assert!(found(&[]) && found(&["no-new-privileges:false"]));
}

#[test]
fn values_of_the_environment_are_kept_as_hashes() {
    let env = Some(vec!["PASSWORD=a=b".to_owned(), "EMPTY=".to_owned(), "removed".to_owned()]);
    let config = ContainerConfig { env, ..ContainerConfig::default() };
    let shown = format!("{:?}", found(&HostConfig::default(), &config).env);
    assert!(shown.contains("PASSWORD") && !shown.contains("a=b"), "{shown}");
    let expected = ContentHash::of(b"a=b");
    assert_eq!(found(&HostConfig::default(), &config).env.get("PASSWORD"), Some(&expected));
}
