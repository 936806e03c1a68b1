use super::*;

fn everything() -> ContainerOptions {
    let range = PortRange { first: 20_000, last: 20_002, protocol: Protocol::Udp };
    let published =
        vec![Published { host: range, container: 30_000, address: Some("127.0.0.1".to_owned()) }];
    let (host, container) = ("/dev/net/tun".to_owned(), "/dev/tun".to_owned());
    ContainerOptions {
        entrypoint: vec!["/entry".to_owned(), "-x".to_owned()],
        user: Some("1000:1000".to_owned()),
        network: Network::Bridge { published },
        privileged: true,
        cap_add: ["NET_ADMIN".parse().unwrap()].into(),
        cap_drop: ["ALL".parse().unwrap()].into(),
        devices: vec![Device { host, container, access: "rw".to_owned() }],
        ulimits: [("rtprio".to_owned(), Ulimit { soft: 99, hard: 99 })].into(),
        cpu_rt_runtime_us: Some(950_000),
        shm_bytes: Some(1 << 30),
        tmpfs: vec![Tmpfs { path: "/run".to_owned(), bytes_max: Some(64 << 20) }],
        sysctls: [("net.core.somaxconn".to_owned(), "1024".to_owned())].into(),
        stop_signal: Some("SIGQUIT".to_owned()),
        extra_hosts: [("db".to_owned(), "10.0.0.5".to_owned())].into(),
        log: LogLimits { file_bytes_max: Some(50 << 20), files_max: Some(5) },
        files: Vec::new(),
        reloaded: Default::default(),
    }
}

fn body(options: &ContainerOptions) -> ContainerCreateBody {
    let host_config =
        HostConfig { log_config: log_config("json-file", options.log), ..HostConfig::default() };
    let mut body =
        ContainerCreateBody { host_config: Some(host_config), ..ContainerCreateBody::default() };
    add(options, &mut body);
    body
}

#[test]
fn a_request_has_every_option_in_the_words_of_the_engine() {
    let sent = serde_json::to_value(body(&everything())).unwrap();
    let host = &sent["HostConfig"];
    assert_eq!(sent["Entrypoint"], serde_json::json!(["/entry", "-x"]));
    assert_eq!((&sent["User"], &sent["StopSignal"]), (&"1000:1000".into(), &"SIGQUIT".into()));
    for (key, expected) in [
        ("NetworkMode", serde_json::json!("bridge")),
        ("Privileged", serde_json::json!(true)),
        ("CapAdd", serde_json::json!(["NET_ADMIN"])),
        ("CapDrop", serde_json::json!(["ALL"])),
        ("Ulimits", serde_json::json!([{"Name": "rtprio", "Soft": 99, "Hard": 99}])),
        ("CpuRealtimeRuntime", serde_json::json!(950_000)),
        ("CpuRealtimePeriod", serde_json::json!(1_000_000)),
        ("ShmSize", serde_json::json!(1 << 30)),
        ("Tmpfs", serde_json::json!({"/run": "size=67108864"})),
        ("Sysctls", serde_json::json!({"net.core.somaxconn": "1024"})),
        ("ExtraHosts", serde_json::json!(["db:10.0.0.5"])),
    ] {
        assert_eq!(host[key], expected, "{key}");
    }
    let device = serde_json::json!(
        {"PathOnHost": "/dev/net/tun", "PathInContainer": "/dev/tun", "CgroupPermissions": "rw"}
    );
    assert_eq!(host["Devices"], serde_json::json!([device]));
    let log = serde_json::json!({"max-size": "52428800", "max-file": "5"});
    assert_eq!(host["LogConfig"]["Config"], log);
    let binding = |port: &str| serde_json::json!([{"HostIp": "127.0.0.1", "HostPort": port}]);
    assert_eq!(
        host["PortBindings"],
        serde_json::json!({"30000/udp": binding("20000"), "30001/udp": binding("20001"),
            "30002/udp": binding("20002")})
    );
    assert_eq!(sent["ExposedPorts"].as_object().map(serde_json::Map::len), Some(3));
}

#[test]
fn a_container_without_options_is_asked_for_as_by_earlier_releases() {
    let sent = serde_json::to_value(body(&ContainerOptions::default())).unwrap();
    let log =
        serde_json::json!({"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}});
    let expected = serde_json::json!({"HostConfig": {"NetworkMode": "host", "LogConfig": log}});
    assert_eq!(sent, expected);
}

#[test]
fn what_was_asked_for_is_read_again_without_a_difference() {
    use oml_common::decide::drift::{ContainerSettings, altered};
    use oml_common::document::instance::Container;

    let options = everything();
    let ContainerCreateBody { host_config, entrypoint, user, stop_signal, .. } = body(&options);
    let config = ContainerConfig { entrypoint, user, stop_signal, ..ContainerConfig::default() };
    let networks = HashMap::from([("bridge".to_owned(), Default::default())]);
    let networks = NetworkSettings { networks: Some(networks), ..NetworkSettings::default() };
    // Engines show capabilities in another form than they are asked for.
    let mut host = host_config.unwrap();
    host.cap_add = Some(vec!["CAP_NET_ADMIN".to_owned()]);
    let found = found(host, config, Some(networks));
    let settings = ContainerSettings { options: found, ..ContainerSettings::default() };
    let options = Box::new(options);
    let created = Container { options, ..crate::fixtures::container("web", "1") };
    assert_eq!(altered(&created, &settings), []);
    let plain = crate::fixtures::container("web", "1");
    assert_eq!(altered(&plain, &settings).len(), 10, "{:?}", altered(&plain, &settings));
}

#[test]
fn another_log_driver_of_the_engine_is_no_difference() {
    use oml_common::decide::drift::{ContainerSettings, altered};
    use oml_common::document::instance::Container;

    let log = LogLimits { file_bytes_max: Some(50 << 20), files_max: Some(5) };
    let options = Box::new(ContainerOptions { log, ..ContainerOptions::default() });
    let created = Container { options, ..crate::fixtures::container("web", "1") };
    let differs = |driver: &str| {
        let log_config =
            HostConfigLogConfig { typ: Some(driver.to_owned()), config: Some(HashMap::new()) };
        let host = HostConfig {
            log_config: Some(log_config),
            network_mode: Some("host".to_owned()),
            ..HostConfig::default()
        };
        let options = found(host, ContainerConfig::default(), None);
        let settings = ContainerSettings { options, ..ContainerSettings::default() };
        altered(&created, &settings).iter().filter(|it| it.to_string().contains("log")).count()
    };
    assert_eq!((differs("journald"), differs("json-file"), differs("local")), (0, 2, 2));
}

#[test]
fn one_file_of_the_local_driver_is_not_compressed() {
    let files = |driver: &str, files| {
        let limits = LogLimits { file_bytes_max: None, files_max: files };
        log_config(driver, limits).unwrap().config.unwrap().remove("compress")
    };
    assert_eq!(files("local", Some(1)).as_deref(), Some("false"));
    assert_eq!((files("local", Some(2)), files("local", None)), (None, None));
    assert_eq!(files("json-file", Some(1)), None);
}

#[test]
fn only_log_drivers_that_write_files_are_bounded() {
    let more = LogLimits { file_bytes_max: Some(50 << 20), files_max: None };
    assert_eq!(log_config("journald", more), None);
    let config = log_config("local", more).unwrap();
    assert_eq!(config.typ.as_deref(), Some("local"));
    let config = config.config.unwrap();
    assert_eq!((config["max-size"].as_str(), config["max-file"].as_str()), ("52428800", "3"));
}
