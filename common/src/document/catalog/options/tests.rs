use super::*;
use crate::document::catalog::{Catalog, WorkloadTemplate};
use crate::text::yaml;

/// Returns a catalog of one container with these further lines.
fn catalog(lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "catalog: x\nregistry: r.example/x\nsettings: {{db: 10.0.0.5}}\ncomponents:\n  web:\n    \
         roles: [app]\n    unit: web.service\n    container: web\n    image: web\n    probe: \
         {{check: exec, command: [\"true\"]}}\n{indented}"
    )
}

fn options(lines: &str) -> ContainerOptions {
    let catalog = Catalog::parse(&catalog(lines)).unwrap();
    let Some(WorkloadTemplate::Container(container)) =
        catalog.components.values().next().map(|it| it.workload.clone())
    else {
        panic!("no container")
    };
    *container.options
}

fn problems(lines: &str) -> String {
    let text = catalog(lines);
    assert!(yaml::parse(&text).is_ok(), "{text}");
    Catalog::parse(&text).unwrap_err().to_string()
}

#[test]
fn a_component_that_says_nothing_has_the_options_of_the_engine() {
    assert_eq!(options(""), ContainerOptions::default());
}

#[test]
fn every_option_is_read() {
    let read = options(
        "entrypoint: [/entry, \"{{ node.name }}\"]\ncommand: [run]\nuser: \"1000:www-data\"\n\
         network: bridge\nports: [\"20000-20100:30000-30100/udp\", 8080:80/tcp]\n\
         cap_add: [CAP_NET_ADMIN]\ncap_drop: [ALL]\ndevices: [/dev/net/tun, \"/dev/ttyS0:/dev/modem:rw\"]\n\
         because: a test\nulimits: {nofile: \"1024:65536\", core: unlimited, rtprio: \"99\"}\n\
         cpu_rt_runtime: 950ms\nshm_size: 1GiB\ntmpfs: [/run:64MiB, /scratch]\n\
         sysctls: {net.core.somaxconn: \"1024\", kernel.sem: 250 32000 100 128}\n\
         stop_signal: SIGQUIT\nextra_hosts: {db: \"{{ settings.db }}\", gw: host-gateway}\n\
         log: {max_size: 50MiB, max_files: 5}",
    );
    let shown = serde_json::to_value(&read).unwrap();
    assert_eq!(
        shown,
        serde_json::json!({
            "entrypoint": ["/entry", "{{ node.name }}"],
            "user": "1000:www-data",
            "network": {"kind": "bridge"},
            "cap_add": ["NET_ADMIN"],
            "cap_drop": ["ALL"],
            "devices": [
                {"host": "/dev/net/tun", "container": "/dev/net/tun", "access": "rwm"},
                {"host": "/dev/ttyS0", "container": "/dev/modem", "access": "rw"}
            ],
            "ulimits": {
                "core": {"soft": -1, "hard": -1},
                "nofile": {"soft": 1024, "hard": 65536},
                "rtprio": {"soft": 99, "hard": 99}
            },
            "cpu_rt_runtime_us": 950_000,
            "shm_bytes": 1_u64 << 30,
            "tmpfs": [{"path": "/run", "bytes_max": 64 << 20}, {"path": "/scratch"}],
            "sysctls": {"kernel.sem": "250 32000 100 128", "net.core.somaxconn": "1024"},
            "stop_signal": "SIGQUIT",
            "extra_hosts": {"db": "{{ settings.db }}", "gw": "host-gateway"},
            "log": {"file_bytes_max": 50 << 20, "files_max": 5}
        })
    );
}

#[test]
fn a_limit_of_open_files_that_no_engine_can_set_is_refused_with_the_highest() {
    for limit in ["unlimited", "1024:unlimited", "1048577"] {
        let found = problems(&format!("ulimits: {{nofile: \"{limit}\"}}"));
        let expected = "components.web.ulimits.nofile: must be a number from 0 to 1048576";
        assert!(found.contains(expected), "{found}");
    }
    assert_eq!(options("ulimits: {nofile: \"1048576\"}").ulimits["nofile"].hard, 1_048_576);
}

#[test]
fn all_mistakes_are_named_at_once_with_place_and_hint() {
    let found = problems(
        "user: \"1000:1000:1000\"\nports: [8080:80/tcp, 5000-5100/udp, 5100/udp]\n\
         volumes: [data:/data/db]\ncap_add: [NET_ADMINS]\ncap_drop: [KILL]\ndevices: [/etc/shadow]\n\
         ulimits: {nofiles: \"1\", nofile: \"9:1\", rtprio: \"100\"}\ncpu_rt_runtime: 2s\n\
         shm_size: 1\ntmpfs: [/data, run, /proc/x, /dev/shm]\n\
         sysctls: {net.core.somaxconn: \"1\", vm.swappiness: \"1\"}\nstop_signal: SIGSTOPP\n\
         extra_hosts: {db: db.example, 10.0.0.1: 10.0.0.2}\nlog: {max_files: 0}",
    );
    for expected in [
        "components.web.user: must be a user, or a user and a group",
        "components.web.ports[0]: names a port of the container, which has the network and the \
         ports of the host (write network: bridge, or the port of the host alone)",
        "components.web.ports[2]: 5100/udp overlaps 5000-5100/udp",
        "components.web.cap_add[0]: \"NET_ADMINS\" is no capability (did you mean NET_ADMIN?)",
        "components.web.devices[0]: must be a path below /dev",
        "components.web.ulimits.nofiles: is no limit of a process (did you mean nofile?)",
        "components.web.ulimits.nofile: the first number, the limit at the start, is above",
        "components.web.ulimits.rtprio: must be a number from 0 to 99",
        "components.web.cpu_rt_runtime: must be a part of a second",
        "components.web.shm_size: must be a size",
        "components.web.tmpfs[0]: /data cannot be a folder in memory: data is mounted at /data/db",
        "components.web.tmpfs[1]: must be an absolute path",
        "components.web.tmpfs[2]: /proc/x cannot be a folder in memory: the kernel's own files",
        "components.web.tmpfs[3]: /dev/shm cannot be a folder in memory: write shm_size:",
        "components.web.sysctls.net.core.somaxconn: is a setting of the network of the host",
        "components.web.sysctls.vm.swappiness: is no setting that a container has for itself",
        "components.web.stop_signal: \"SIGSTOPP\" is not a valid value",
        "components.web.extra_hosts.db: \"db.example\" is no IP address",
        "components.web.extra_hosts.10.0.0.1: \"10.0.0.1\" is no host name",
        "components.web.log.max_files: must be a whole number from 1 to 100",
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
}

#[test]
fn rights_that_engines_do_not_give_need_a_reason() {
    let found = problems("privileged: true");
    assert!(found.contains("web.privileged: a privileged container needs a reason"), "{found}");
    let found = problems("cap_add: [SYS_NICE]\ndevices: [/dev/net/tun]");
    assert!(found.contains("web.cap_add: a further capability needs a reason"), "{found}");
    assert!(found.contains("web.devices: a device needs a reason"), "{found}");
    // Every container has it unless it drops it.
    let read = options("cap_add: [NET_BIND_SERVICE]\ncap_drop: [ALL]");
    assert_eq!(read.cap_add.len(), 1);
}

#[test]
fn what_says_nothing_of_a_privileged_container_is_refused() {
    let found = problems("privileged: true\nbecause: x\ncap_drop: [ALL]\ndevices: [/dev/net/tun]");
    for field in ["cap_drop", "devices"] {
        let expected = format!("web.{field}: says nothing of a privileged container");
        assert!(found.contains(&expected), "{found}");
    }
}

#[test]
fn users_are_names_or_numbers() {
    for user in ["0", "root", "www-data", "1000:1000", "4294967294", "_apt:nogroup"] {
        assert_eq!(options(&format!("user: \"{user}\"")).user.as_deref(), Some(user));
    }
    for user in ["-1", "4294967295", "1000:", ":1", "a b", "root:root:root", "\u{e9}"] {
        let found = problems(&format!("user: \"{user}\""));
        assert!(found.contains("must be a user"), "{user}: {found}");
    }
}
