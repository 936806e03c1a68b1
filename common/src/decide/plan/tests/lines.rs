//! Plans of tenants with the catalogs of the other lines of OMniLeads.

use super::shipped::{hosts, one_host, plan_for, spec_of, three_hosts, value};
use super::*;

const OMNILEADS_1_26: &str = include_str!("../../../../../catalog/omnileads-1.26.yaml");
const OMNILEADS_2_2: &str = include_str!("../../../../../catalog/omnileads-2.2.yaml");
const OMNILEADS_3: &str = include_str!("../../../../../catalog/omnileads-3.yaml");

/// The roles of a host with everything of 3.X, and its stack for tests.
const ROLES_OF_3: [&str; 9] =
    ["data", "stateless", "edge", "web", "workers", "dialer", "acd", "callrec", "qa"];

/// How many components each node of a plan carries.
fn carried(plan: &Plan) -> Vec<String> {
    plan.nodes.iter().map(|(node, share)| format!("{node} {}", share.instances.len())).collect()
}

/// The nodes of each wave of a plan.
fn waves(plan: &Plan) -> Vec<Vec<&str>> {
    plan.waves.iter().map(|wave| wave.iter().map(AsRef::as_ref).collect()).collect()
}

/// Asserts what a component gets where everything is on one host, and where three hosts share it.
fn assert_values(one: &Plan, three: &Plan, expected: &[(&str, &str, &str, &str)]) {
    for (component, variable, on_one, on_three) in expected {
        assert_eq!(value(one, component, variable), *on_one, "{component} {variable}");
        assert_eq!(value(three, component, variable), *on_three, "{component} {variable}");
    }
}

#[test]
fn one_host_and_three_run_omnileads_1_26() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    let spec = spec_of(&catalog, "{minio_console_port: \"9001\"}", |it| it != "haproxy");
    let one = plan_for(&one_host(), OMNILEADS_1_26, &spec);
    let three = plan_for(&three_hosts(), OMNILEADS_1_26, &spec);
    assert_eq!(carried(&one), ["all 21"]);
    assert_eq!(carried(&three), ["d 8", "v 6", "w 11"]);
    assert_eq!(waves(&three), [["d"], ["v"], ["w"]]);
    assert_values(
        &one,
        &three,
        &[
            ("kamailio", "KAMAILIO_HOSTNAME", "127.0.0.2", "10.0.0.3"),
            ("kamailio", "ASTERISK_HOSTNAME", "127.0.0.1", "10.0.0.2"),
            ("nginx", "KAMAILIO_HOSTNAME", "127.0.0.2", "10.0.0.3"),
            ("asterisk", "PGHOST", "10.0.0.1", "10.0.0.1"),
            ("asterisk", "HOMER_ENABLE", "True", "True"),
            ("asterisk", "HOMERHOST", "10.0.0.1", "10.0.0.2"),
            ("rtpengine", "LAN_IP", "10.0.0.1", "10.0.0.2"),
            ("omnileads", "S3_ENDPOINT", "https://10.0.0.1", "https://10.0.0.3"),
            ("nginx", "S3_ENDPOINT", "http://10.0.0.1:9000", "http://10.0.0.1:9000"),
            ("homer", "LOKI_HOST", "10.0.0.1", "10.0.0.1"),
            ("websockets", "BIND_ADDRESS", "10.0.0.1:8000", "10.0.0.3:8000"),
        ],
    );
}

#[test]
fn the_console_of_minio_and_prometheus_of_1_26_cannot_share_a_port_on_one_host() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    let spec = spec_of(&catalog, "{}", |it| it != "haproxy");
    let problems = plan_on(&one_host(), &spec, OMNILEADS_1_26, 1).unwrap_err().to_string();
    assert!(problems.contains("9090"), "{problems}");
    assert_eq!(carried(&plan_for(&three_hosts(), OMNILEADS_1_26, &spec)), ["d 8", "v 6", "w 11"]);
}

#[test]
fn a_proxy_of_1_26_has_a_host_of_its_own() {
    let catalog = Catalog::parse(OMNILEADS_1_26).unwrap();
    let four = hosts(&[("d", &["data"]), ("h", &["haproxy"]), ("v", &["voice"]), ("w", &["app"])]);
    let plan = plan_for(&four, OMNILEADS_1_26, &spec_of(&catalog, "{}", |_| true));
    assert_eq!(carried(&plan), ["d 8", "h 1", "v 6", "w 11"]);
}

#[test]
fn one_host_and_three_run_omnileads_2_2() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    let spec = spec_of(&catalog, "{}", |_| true);
    let with_tests = ["data", "voice", "app", "qa"];
    let one = plan_for(&hosts(&[("all", &with_tests)]), OMNILEADS_2_2, &spec);
    let three = hosts(&[("d", &["data"]), ("v", &["voice"]), ("w", &["app", "qa"])]);
    let three = plan_for(&three, OMNILEADS_2_2, &spec);
    assert_eq!(carried(&one), ["all 29"]);
    assert_eq!(carried(&three), ["d 8", "v 6", "w 19"]);
    assert_eq!(waves(&three), [["d"], ["v"], ["w"]]);
    assert_values(
        &one,
        &three,
        &[
            ("kamailio", "KAMAILIO_HOSTNAME", "127.0.0.1", "10.0.0.3"),
            ("nginx", "KAMAILIO_HOSTNAME", "127.0.0.1", "10.0.0.3"),
            ("asterisk", "ARQ", "aio", "cluster"),
            ("asterisk", "RABBITMQ_HOST", "10.0.0.1", "10.0.0.1"),
            ("asterisk", "CALLREC_SPLIT_CHANNELS", "True", "True"),
            ("asterisk", "FASTAGI", "10.0.0.1", "10.0.0.3"),
            ("asterisk-retrieve-conf", "ARI_HOST", "127.0.0.1", "10.0.0.2"),
            ("redis", "BIND_IP", "10.0.0.1", "10.0.0.1"),
            ("redis-exporter", "REDIS_ADDR", "redis://10.0.0.1:6379", "redis://10.0.0.1:6379"),
            ("omnileads", "WOMBAT_HOSTNAME", "10.0.0.1", "10.0.0.3"),
            ("omnileads", "S3_ENDPOINT_MINIO", "http://10.0.0.1:9000", "http://10.0.0.1:9000"),
            ("websockets", "REDIS_HOST", "redis://10.0.0.1:6379", "redis://10.0.0.1:6379"),
        ],
    );
}

#[test]
fn a_tenant_of_2_2_needs_neither_the_tests_nor_the_enterprise_edition() {
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    let optional = [
        "mysql",
        "nginx-qa",
        "pstn",
        "wombat",
        "sentiment-analysis",
        "survey-worker",
        "wallboard-listener",
        "wallboard-worker",
        "minio",
    ];
    let settings = "{bucket_url: https://s3.example, callrec_device: s3, dialer_host: 192.0.2.9}";
    let spec = spec_of(&catalog, settings, |it| !optional.contains(&it));
    let plan = plan_for(&three_hosts(), OMNILEADS_2_2, &spec);
    assert_eq!(value(&plan, "omnileads", "WOMBAT_HOSTNAME"), "192.0.2.9");
    assert_eq!(value(&plan, "interaction-processor", "S3_ENDPOINT"), "https://s3.example");
    assert_eq!(value(&plan, "asterisk", "CALLREC_SPLIT_CHANNELS"), "false");
}

#[test]
fn one_host_and_three_run_omnileads_3() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let settings = "{kamailio_webrtc_iface: eth1, itsp_nodes: 192.0.2.20}";
    let spec = spec_of(&catalog, settings, |it| it != "haproxy");
    let one = plan_for(&hosts(&[("all", &ROLES_OF_3)]), OMNILEADS_3, &spec);
    let three = hosts(&[
        ("d", &["data", "stateless"]),
        ("v", &["edge", "acd", "callrec"]),
        ("w", &["web", "workers", "dialer", "qa"]),
    ]);
    let three = plan_for(&three, OMNILEADS_3, &spec);
    assert_eq!(carried(&one), ["all 52"]);
    assert_eq!(carried(&three), ["d 9", "v 11", "w 36"]);
    assert_values(
        &one,
        &three,
        &[
            ("acd-server", "ACD_SIP_AGENT_BIND_ADDR", "10.0.0.1", "10.0.0.2"),
            ("acd-server", "VOIP_PROXY_HOSTNAME", "10.0.0.1", "10.0.0.2"),
            ("acd-app", "ARI_URL", "http://127.0.0.1:7088", "http://127.0.0.1:7088"),
            ("kamailio-pstn", "ACD_NODES", "10.0.0.1:5070", "10.0.0.2:5070"),
            ("kamailio-pstn", "RTPENGINE_SOCKET", "udp:10.0.0.1:22222", "udp:10.0.0.2:22222"),
            ("kamailio-webrtc", "KAMAILIO_IFACE", "eth1", "eth1"),
            (
                "omnileads",
                "DJANGO_ALLOWED_HOSTS",
                "10.0.0.1,10.0.0.1,127.0.0.1",
                "10.0.0.3,10.0.0.3,127.0.0.1",
            ),
            ("whatsapp", "OMNIDIALER_HOST", "10.0.0.1:1440", "10.0.0.3:1440"),
            ("nginx", "KAMAILIO_HOSTNAME", "10.0.0.1", "10.0.0.2"),
            ("nginx", "DJANGO_HOSTNAME", "127.0.0.1", "127.0.0.1"),
            ("callrec-compressor", "S3_ENDPOINT", "http://10.0.0.1:9000", "http://10.0.0.1:9000"),
            ("dialer-scheduler", "GEARMAN_JOB_SERVERS", "10.0.0.1:4730", "10.0.0.1:4730"),
        ],
    );
}

#[test]
fn browsers_outside_get_recordings_at_the_public_address_of_a_site_in_a_cloud() {
    let settings = "{infra_env: cloud, public_ip: 192.0.2.7}";
    for (text, component) in [(OMNILEADS_1_26, "daphne"), (OMNILEADS_2_2, "omnileads")] {
        let catalog = Catalog::parse(text).unwrap();
        let unwanted = ["haproxy", "pstn", "prometheus"];
        let spec = spec_of(&catalog, settings, |it| !unwanted.contains(&it));
        let nodes = hosts(&[("all", &["data", "voice", "app", "qa"])]);
        let plan = plan_for(&nodes, text, &spec);
        assert_eq!(value(&plan, component, "S3_ENDPOINT"), "https://192.0.2.7", "{component}");
        assert_eq!(value(&plan, "nginx", "S3_ENDPOINT"), "http://10.0.0.1:9000");
    }
}

#[test]
fn what_is_outside_of_a_tenant_has_no_component_in_any_line() {
    let outside = "postgres_host: db.example, redis_host: kv.example, rtpengine_host: media.example, \
                   bucket_url: https://s3.example";
    let of_3 = "kamailio_webrtc_iface: eth1, itsp_nodes: \"\", kamailio_pstn_host: edge.example";
    let mut roles = ROLES_OF_3.to_vec();
    roles.extend(["voice", "app"]);
    let all = hosts(&[("all", roles.as_slice())]);
    for (text, more) in [
        (OMNILEADS_1_26, "infra_env: cloud"),
        (OMNILEADS_2_2, "infra_env: nat"),
        (OMNILEADS_3, of_3),
    ] {
        let catalog = Catalog::parse(text).unwrap();
        let spec = spec_of(&catalog, &format!("{{{outside}, {more}}}"), |it| it != "haproxy");
        let plan = plan_for(&all, text, &spec);
        let share = plan.nodes.values().next().unwrap();
        for name in ["postgres", "redis", "redis-exporter", "minio", "rtpengine", "kamailio-pstn"] {
            let name: ComponentName = name.parse().unwrap();
            assert!(!share.instances.contains_key(&name), "{name} of {}", catalog.name);
        }
        assert_eq!(value(&plan, "omnileads", "PGHOST"), "db.example", "{}", catalog.name);
    }
}

#[test]
fn a_mode_of_media_that_a_line_does_not_know_is_refused_with_those_that_it_knows() {
    let of_2_2 = "lan, cloud, cloud_external_dialer, nat, hybrid, all, ha";
    for (text, known) in [(OMNILEADS_1_26, "lan, cloud"), (OMNILEADS_2_2, of_2_2)] {
        let catalog = Catalog::parse(text).unwrap();
        let spec = spec_of(&catalog, "{infra_env: clowd}", |it| it == "rtpengine");
        let problems = plan_on(&one_host(), &spec, text, 1).unwrap_err().to_string();
        assert!(problems.contains(&format!("\"clowd\" is not one of {known}")), "{problems}");
    }
}

#[test]
fn a_capture_server_is_named_to_the_programs_that_send_it_a_copy() {
    let settings =
        "{homer_host: homer.example, kamailio_webrtc_iface: eth1, itsp_nodes: 192.0.2.20}";
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let spec = spec_of(&catalog, settings, |it| it != "haproxy");
    let plan = plan_for(&hosts(&[("all", &ROLES_OF_3)]), OMNILEADS_3, &spec);
    for (component, number) in [("kamailio-webrtc", "2003"), ("kamailio-pstn", "2002")] {
        assert_eq!(value(&plan, component, "HOMER_ENABLE"), "True");
        assert_eq!(value(&plan, component, "HOMER_HOST"), "homer.example");
        assert_eq!(value(&plan, component, "HOMER_CAPTURE_ID"), number);
    }
    assert_eq!(value(&plan, "kamailio-pstn", "HOMER_NODE_NAME"), "acme-pstn");
    let catalog = Catalog::parse(OMNILEADS_2_2).unwrap();
    let spec = spec_of(&catalog, "{homer_host: homer.example}", |_| true);
    let plan = plan_for(&hosts(&[("all", &["data", "voice", "app", "qa"])]), OMNILEADS_2_2, &spec);
    assert_eq!(value(&plan, "asterisk", "HOMER_ENABLE"), "True");
    assert_eq!(value(&plan, "asterisk", "HOMERHOST"), "homer.example");
}

#[test]
fn every_name_of_a_site_of_3_is_allowed_and_trusted() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let settings = "{kamailio_webrtc_iface: eth1, itsp_nodes: 192.0.2.20, fqdn: a.example, \
                    django_allowed_hosts_extra: \"b.example, c.example\"}";
    let spec = spec_of(&catalog, settings, |it| it != "haproxy");
    let plan = plan_for(&hosts(&[("all", &ROLES_OF_3)]), OMNILEADS_3, &spec);
    let trusted = value(&plan, "omnileads", "DJANGO_CSRF_TRUSTED_ORIGINS");
    assert_eq!(trusted, "https://a.example,https://b.example,https://c.example");
    let allowed = value(&plan, "omnileads", "DJANGO_ALLOWED_HOSTS");
    assert_eq!(allowed, "a.example,10.0.0.1,127.0.0.1,b.example,c.example");
}

#[test]
fn a_proxy_of_3_needs_another_host_than_its_web_server() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let settings = "{kamailio_webrtc_iface: eth1, itsp_nodes: 192.0.2.20}";
    let spec = spec_of(&catalog, settings, |_| true);
    let problems =
        plan_on(&hosts(&[("all", &ROLES_OF_3)]), &spec, OMNILEADS_3, 1).unwrap_err().to_string();
    assert!(problems.contains("443"), "{problems}");
    let apart = hosts(&[
        ("d", &["data", "stateless", "callrec"]),
        ("e", &["edge"]),
        ("v", &["acd"]),
        ("w", &["web", "workers", "dialer", "qa"]),
    ]);
    let plan = plan_for(&apart, OMNILEADS_3, &spec);
    assert_eq!(value(&plan, "acd-server", "WEBRTC_PROXY_HOSTNAME"), "10.0.0.2");
}

#[test]
fn a_tenant_of_3_names_the_interface_of_its_browsers_and_its_carriers() {
    let catalog = Catalog::parse(OMNILEADS_3).unwrap();
    let spec = spec_of(&catalog, "{}", |it| it != "haproxy");
    let all = hosts(&[("all", &ROLES_OF_3)]);
    let problems = plan_on(&all, &spec, OMNILEADS_3, 1).unwrap_err().to_string();
    for setting in ["kamailio_webrtc_iface", "itsp_nodes"] {
        assert!(problems.contains(&format!("{setting}: is missing")), "{problems}");
    }
}

#[test]
fn every_tenant_of_the_handbook_can_be_planned_on_one_host() {
    let page = include_str!("../../../../../docs/omnileads.md");
    let roles = ["data", "voice", "app", "stateless", "edge", "web", "workers", "acd", "callrec"];
    let mut seen = Vec::new();
    for example in page.split("    tenant: acme\n").skip(1) {
        let lines = example.lines().take_while(|line| line.starts_with("    "));
        let lines: Vec<&str> = lines.map(|line| &line[4..]).collect();
        let spec = format!("tenant: acme\n{}\n", lines.join("\n"));
        let name = lines[0].trim_start_matches("catalog: ");
        let catalog = match name {
            "omnileads-1-26" => OMNILEADS_1_26,
            "omnileads-2-2" => OMNILEADS_2_2,
            "omnileads-3" => OMNILEADS_3,
            _ => continue,
        };
        let plan = plan_for(&hosts(&[("all", &roles)]), catalog, &spec);
        assert_eq!(value(&plan, "omnileads", "TZ"), "Europe/Berlin", "{name}");
        seen.push(name);
    }
    assert_eq!(seen, ["omnileads-1-26", "omnileads-2-2", "omnileads-3"]);
}
