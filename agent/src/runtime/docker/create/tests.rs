use oml_common::document::Verbatim;
use std::num::NonZeroU32;

use oml_common::document::instance::{
    ContainerFile, ContainerOptions, Instance, KeptSecret, PidsLimit, Timing, Workload,
};

use super::*;
use crate::files;
use crate::fixtures;

fn container() -> Container {
    Container {
        env: [("ROLE".parse().unwrap(), "main".to_owned())].into(),
        kept_secrets: [].into(),
        secrets: [("PASSWORD".parse().unwrap(), "redis".parse().unwrap())].into(),
        volumes: vec![
            Volume { source: "oml_redis".into(), target: "/data".into(), read_only: false },
            Volume { source: "/etc/certs".into(), target: "/certs".into(), read_only: true },
        ],
        memory_bytes_max: Some(1 << 20),
        ..fixtures::container("redis", "7")
    }
}

fn body_of(container: &Container, paths: &Paths) -> Result<ContainerCreateBody, RuntimeError> {
    body_with(container, paths, None)
}

/// Builds the request, with the files of another workload if one is named.
fn body_with(
    container: &Container,
    paths: &Paths,
    files_of: Option<ContentHash>,
) -> Result<ContainerCreateBody, RuntimeError> {
    let instance = Verbatim::seal(Instance {
        workload: Verbatim::seal(Workload::Container(container.clone())),
        timing: Timing { start_timeout_ms: 30_000, stop_grace_ms: 1_500 },
        pull_from: None,
        pull_login: None,
        restart_unhealthy: Default::default(),
        checks: Vec::new(),
        preparations: Vec::new(),
        migrations: Vec::new(),
        reload: None,
        ..fixtures::instance("redis", "7")
    });
    let image = "registry.lab:5000/redis@sha256:1".to_owned();
    let image_id = Some("sha256:2".to_owned());
    let files_of = files_of.unwrap_or_else(|| instance.workload_hash());
    let log_driver = "json-file".to_owned();
    let local = Local { files_of, image, image_id, log_driver, root: None };
    body(ContainerInstance::of(&instance).unwrap(), paths, local)
}

fn paths_with_secret(folder: &std::path::Path, text: &str) -> Paths {
    let paths = Paths::below(folder);
    let secret = paths.secret(&"redis".parse().unwrap());
    files::write_durably(&secret, text.as_bytes(), 0o600).unwrap();
    paths
}

#[test]
fn a_container_is_exactly_what_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_with_secret(folder.path(), "sesame\n");
    let body = body_of(&container(), &paths).unwrap();
    assert_eq!(body.image.as_deref(), Some("registry.lab:5000/redis@sha256:1"));
    assert_eq!(body.labels.unwrap()["io.oml.image"], "sha256:2");
    assert_eq!(body.env.unwrap(), ["ROLE=main", "PASSWORD=sesame"]);
    assert_eq!(body.cmd, None);
    assert_eq!(body.stop_timeout, Some(2));
    let host = body.host_config.unwrap();
    assert_eq!(host.network_mode.as_deref(), Some("host"));
    assert_eq!(host.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::NO));
    assert_eq!(host.privileged, None);
    assert_eq!(host.pids_limit, Some(4096));
    assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
    assert_eq!((host.memory, host.memory_swap), (Some(1 << 20), Some(1 << 20)));
    let mounts: Vec<_> = host
        .mounts
        .unwrap()
        .into_iter()
        .map(|mount| (mount.typ, mount.source, mount.read_only))
        .collect();
    assert_eq!(
        mounts,
        [
            (Some(MountType::VOLUME), Some("oml_redis".to_owned()), Some(false)),
            (Some(MountType::BIND), Some("/etc/certs".to_owned()), Some(true)),
        ]
    );
}

#[test]
fn a_file_of_the_catalog_is_mounted_read_only_from_the_folder_of_its_workload() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_with_secret(folder.path(), "sesame\n");
    let path = "/etc/redis.conf".to_owned();
    let text = "port 6379\n".to_owned();
    let file = ContainerFile { path: path.clone(), mode: 0o640, uid: 0, gid: 0, text };
    let options = Box::new(ContainerOptions { files: vec![file], ..ContainerOptions::default() });
    let with_file = Container { volumes: Vec::new(), options, ..container() };
    let mounts = body_of(&with_file, &paths).unwrap().host_config.unwrap().mounts.unwrap();
    // A run of an operation is another workload, and has the files of its component.
    let other = ContentHash::of(b"the component's");
    let of_run = body_with(&with_file, &paths, Some(other.clone())).unwrap().host_config.unwrap();
    let source = of_run.mounts.unwrap().remove(0).source.unwrap();
    assert!(source.contains(other.as_str()), "{source}");
    let workload = Verbatim::seal(Workload::Container(with_file));
    let own = paths.files_of(&"redis".parse().unwrap(), workload.hash()).join("0-redis.conf");
    let mounted: Vec<_> =
        mounts.into_iter().map(|it| (it.typ, it.source, it.target, it.read_only)).collect();
    let source = Some(own.to_string_lossy().into_owned());
    assert_eq!(mounted, [(Some(MountType::BIND), source, Some(path), Some(true))]);
}

#[test]
fn a_document_can_allow_more_processes_and_more_privileges() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_with_secret(folder.path(), "sesame\n");
    let pids_limit = PidsLimit(NonZeroU32::new(16_384).unwrap());
    let allowed = Container { pids_limit, may_gain_privileges: true, ..container() };
    let host = body_of(&allowed, &paths).unwrap().host_config.unwrap();
    assert_eq!(host.pids_limit, Some(16_384));
    // Nothing is said, so that an engine which is as strict by itself stays so.
    assert_eq!(host.security_opt, None);
}

#[test]
fn a_secret_never_becomes_part_of_a_label() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_with_secret(folder.path(), "sesame\n");
    let body = body_of(&container(), &paths).unwrap();
    assert!(!format!("{:?}", body.labels).contains("sesame"));
}

#[test]
fn a_missing_secret_is_named_and_may_still_come() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let error = body_of(&container(), &paths).unwrap_err();
    assert!(error.is_transient());
    let path = paths.secret(&"redis".parse().unwrap());
    let expected = format!("could not create oml-redis: the secret {} is missing", path.display());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_secret_is_the_line_of_its_file_and_anything_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let value = |text: &str| {
        let paths = paths_with_secret(folder.path(), text);
        body_of(&container(), &paths).map(|body| body.env.unwrap()[1].clone())
    };
    assert_eq!(value("sesame\r\n").unwrap(), "PASSWORD=sesame");
    let path = Paths::below(folder.path()).secret(&"redis".parse().unwrap());
    for (text, why) in [
        ("\n", "is empty"),
        (
            "sesame\r\n\r\n",
            "contains a carriage return (U+000D); write the value alone, on one line",
        ),
    ] {
        let error = value(text).unwrap_err();
        assert!(error.is_transient());
        let expected = format!("could not create oml-redis: the secret {} {why}", path.display());
        assert_eq!(error.to_string(), expected);
    }
}

/// The container with a secret of the controller in its environment, and one as a file.
fn with_kept_secrets() -> Container {
    let secret = |name: &str, file: Option<&str>| KeptSecret {
        name: name.parse().unwrap(),
        version: 2,
        mark: "2".repeat(32).parse().unwrap(),
        file: file.map(str::to_owned),
    };
    let kept_secrets = [
        ("KEY_FILE".parse().unwrap(), secret("key", Some("/run/secrets/key"))),
        ("TOKEN".parse().unwrap(), secret("token", None)),
    ];
    Container { kept_secrets: kept_secrets.into(), secrets: [].into(), ..container() }
}

#[test]
fn a_secret_of_the_controller_is_a_variable_or_a_file_that_is_mounted_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let mark = "2".repeat(32).parse().unwrap();
    let token = paths.kept_secret(&"token".parse().unwrap(), &mark);
    let key = paths.mounted_secret(&"key".parse().unwrap(), &mark);
    let container = with_kept_secrets();
    let missing = |name: &str| {
        let error = body_of(&container, &paths).unwrap_err();
        assert!(error.is_transient());
        let expected = format!(
            "could not create oml-redis: the controller has not sent secret {name} version 2 yet"
        );
        assert_eq!(error.to_string(), expected);
    };
    missing("token");
    files::write_durably(&token, b"open sesame", 0o600).unwrap();
    missing("key");
    files::write_durably(&key, b"-----BEGIN\n", 0o444).unwrap();
    let body = body_of(&container, &paths).unwrap();
    let environment = body.env.unwrap();
    assert_eq!(environment, ["ROLE=main", "KEY_FILE=/run/secrets/key", "TOKEN=open sesame"]);
    assert!(!format!("{:?}", body.labels).contains("sesame"));
    let mount = body.host_config.unwrap().mounts.unwrap().pop().unwrap();
    assert_eq!(mount.target.as_deref(), Some("/run/secrets/key"));
    assert_eq!((mount.source, mount.read_only), (Some(key.display().to_string()), Some(true)));
}

#[test]
fn two_variables_may_name_one_mounted_secret() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    let mut container = with_kept_secrets();
    let key = container.kept_secrets[&"KEY_FILE".parse().unwrap()].clone();
    container.kept_secrets =
        [("KEY_FILE".parse().unwrap(), key.clone()), ("OTHER_FILE".parse().unwrap(), key.clone())]
            .into();
    let source = paths.mounted_secret(&key.name, &key.mark);
    files::write_durably(&source, b"-----BEGIN\n", 0o444).unwrap();
    let body = body_of(&container, &paths).unwrap();
    let both = ["ROLE=main", "KEY_FILE=/run/secrets/key", "OTHER_FILE=/run/secrets/key"];
    assert_eq!(body.env.unwrap(), both);
    let mounts = body.host_config.unwrap().mounts.unwrap();
    let at_key = |mount: &&Mount| mount.target.as_deref() == Some("/run/secrets/key");
    assert_eq!(mounts.iter().filter(at_key).count(), 1, "{mounts:?}");
}
