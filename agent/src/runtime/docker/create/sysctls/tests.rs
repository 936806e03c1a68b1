use bollard::models::HostConfig;

use super::*;

fn body(sysctls: &[(&str, &str)]) -> ContainerCreateBody {
    let sysctls = sysctls.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let host_config = HostConfig { sysctls: Some(sysctls.collect()), ..HostConfig::default() };
    ContainerCreateBody { host_config: Some(host_config), ..ContainerCreateBody::default() }
}

fn placed(sysctls: &[(&str, &str)], api: &str) -> serde_json::Value {
    let mut body = body(sysctls);
    place(&mut body, ApiVersion::parse(api));
    serde_json::to_value(body).unwrap()
}

const BOTH: [(&str, &str); 3] = [
    ("net.ipv4.conf.eth0.rp_filter", "2"),
    ("net.ipv6.conf.eth0.accept_ra", "0"),
    ("net.core.somaxconn", "1024"),
];

#[test]
fn an_engine_before_api_1_46_gets_settings_of_an_interface_among_all_others() {
    for api in ["1.41", "1.45", "an unknown form"] {
        let sent = placed(&BOTH, api);
        assert_eq!(sent["HostConfig"]["Sysctls"].as_object().unwrap().len(), 3, "{api}");
        assert!(sent["NetworkingConfig"].is_null(), "{api}: {sent}");
    }
}

#[test]
fn an_engine_from_api_1_46_on_gets_settings_of_an_interface_with_its_network() {
    for api in ["1.46", "1.52", "2.0"] {
        let sent = placed(&BOTH, api);
        let rest = serde_json::json!({"net.core.somaxconn": "1024"});
        assert_eq!(sent["HostConfig"]["Sysctls"], rest, "{api}");
        let options = &sent["NetworkingConfig"]["EndpointsConfig"]["bridge"]["DriverOpts"];
        let expected = "net.ipv4.conf.IFNAME.rp_filter=2,net.ipv6.conf.IFNAME.accept_ra=0";
        assert_eq!(options[OPTION], expected, "{api}");
    }
}

#[test]
fn only_settings_of_the_interface_are_moved() {
    let others = [
        ("net.ipv4.conf.all.rp_filter", "2"),
        ("net.ipv4.conf.eth1.rp_filter", "2"),
        ("net.ipv4.ip_forward", "1"),
        ("kernel.sem", "250 32000 100 128"),
        ("net.ipv4.conf.eth0.broken", "1,2"),
    ];
    let sent = placed(&others, "1.47");
    assert_eq!(sent["HostConfig"]["Sysctls"].as_object().unwrap().len(), others.len());
    assert!(sent["NetworkingConfig"].is_null(), "{sent}");
    assert!(are_of_interface(&body(&BOTH)) && !are_of_interface(&body(&others[..4])));
}

#[test]
fn what_was_set_with_the_network_is_read_in_the_words_of_the_request() {
    let mut sent = body(&BOTH);
    place(&mut sent, ApiVersion::parse("1.46"));
    let networks = sent.networking_config.unwrap().endpoints_config.unwrap();
    let read: BTreeMap<String, String> = found(&networks).collect();
    let expected = BOTH[..2].iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    assert_eq!(read, expected.collect());
    assert_eq!(found(&HashMap::new()).count(), 0);
}
