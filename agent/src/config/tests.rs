//! Settings as operators write them.

use std::path::Path;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn without_a_file_there_are_defaults() {
    let settings = load(Path::new("/nonexistent")).unwrap();
    assert_eq!(settings.controllers, Vec::<String>::new());
    assert_eq!(settings.metrics_listen, Some("127.0.0.1:9270".parse().unwrap()));
    assert_eq!(settings.min_free, MinFree { engine_bytes: 512 << 20, state_bytes: 64 << 20 });
}

#[test]
fn metrics_for_the_host_alone_are_offered_to_nobody_else() {
    for (listen, port) in [
        ("127.0.0.1:9270", None),
        ("[::1]:9270", None),
        ("[::ffff:127.0.0.1]:9270", None),
        ("off", None),
        ("0.0.0.0:9270", Some(9270)),
        ("10.0.0.5:9271", Some(9271)),
    ] {
        let folder = folder(&[("agent.toml", &format!("metrics_listen = \"{listen}\"\n"))]);
        assert_eq!(load(folder.path()).unwrap().metrics_port(), port, "{listen}");
    }
}

#[test]
fn a_drop_in_wins_over_the_file() {
    let folder = folder(&[
        ("agent.toml", "controllers = [\"a\"]\nlog = \"warn\"\nengine_disk_free_min = \"2GiB\"\n"),
        ("conf.d/50-site.toml", "controllers = [\"b:1\", \"c\"]\n"),
    ]);
    let settings = load(folder.path()).unwrap();
    assert_eq!(settings.controllers, ["b:1", "c:7443"]);
    assert_eq!(settings.log, "warn");
    assert_eq!(settings.min_free.engine_bytes, 2 << 30);
}

#[test]
fn logins_are_found_by_registry() {
    let text = "[registries.\"10.0.0.1:5000\"]\nusername = \"u\"\npassword_file = \"/p\"\n";
    let folder = folder(&[("agent.toml", text)]);
    let settings = load(folder.path()).unwrap();
    assert_eq!(settings.registries["10.0.0.1:5000"].user, "u");
}

#[test]
fn every_spelling_of_a_registry_is_the_same_key_and_two_are_refused() {
    let entry = |registry: &str| {
        format!("[registries.\"{registry}\"]\nusername = \"u\"\npassword_file = \"/p\"\n")
    };
    for written in ["docker.io", "index.docker.io", "https://index.docker.io/v1/"] {
        let folder = folder(&[("agent.toml", &entry(written))]);
        assert_eq!(load(folder.path()).unwrap().registries["docker.io"].user, "u", "{written}");
    }
    let both = entry("docker.io") + &entry("registry-1.docker.io");
    let folder = folder(&[("agent.toml", &both)]);
    let refused = load(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("registries.\"registry-1.docker.io\""), "{refused}");
}

#[test]
fn an_unknown_setting_is_refused_with_its_file() {
    let folder = folder(&[("conf.d/10.toml", "controler = \"a\"\n")]);
    let error = load(folder.path()).unwrap_err();
    assert!(error.to_string().contains("10.toml"), "{error}");
}

#[test]
fn an_impossible_value_is_refused_with_its_name() {
    for (text, key) in [
        ("metrics_listen = \"here\"", "metrics_listen"),
        ("address = \"here\"", "address"),
        ("controllers = [\"a:b\"]", "controllers"),
        ("enrollment = [\"a b\"]", "enrollment"),
        ("engine_disk_free_min = \"512\"", "engine_disk_free_min"),
        ("state_disk_free_min = \"lots\"", "state_disk_free_min"),
    ] {
        let folder = folder(&[("agent.toml", text)]);
        let error = load(folder.path()).unwrap_err();
        assert!(error.to_string().starts_with(key), "{error}");
    }
}

#[test]
fn every_mistake_about_registries_is_refused_at_once_with_what_docker_needs() {
    let text = "[registries.\"one.corp:5443\"]\nca_file = \"/ca.pem\"\n\
                [registries.\"two.corp\"]\nusername = \"u\"\n";
    let folder = folder(&[("agent.toml", text)]);
    let refused = load(folder.path()).unwrap_err().to_string();
    for words in [
        "registries.\"one.corp:5443\".ca_file: unknown key (on a host, put the certificate into \
         /etc/docker/certs.d/one.corp:5443/ca.crt)",
        "registries.\"one.corp:5443\": a login takes both username and password_file",
        "registries.\"two.corp\": a login takes both username and password_file",
    ] {
        assert!(refused.contains(words), "{words}\n{refused}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_left_out_and_stops_no_agent() {
    for (name, problems) in [("HTTPS_PROXY", 1), ("all_proxy", 1), ("HTTP_PROXY", 0)] {
        let set = |asked: &str| (asked == name).then(|| "socks5://p.corp".to_owned());
        let settings = settings(Fragment::default(), Proxies::read(Use::Tls, set)).unwrap();
        assert_eq!(settings.proxies, Proxies::default());
        assert_eq!(settings.left_out.0.len(), problems, "{name}");
    }
}

#[test]
fn a_login_that_no_image_can_need_is_named_and_stops_no_agent() {
    let text = "[registries.\"mirror\"]\nusername = \"u\"\npassword_file = \"/p\"\n";
    let folder = folder(&[("agent.toml", text)]);
    let left_out = load(folder.path()).unwrap().left_out.to_string();
    assert!(left_out.contains("registries.\"mirror\": no image can name this"), "{left_out}");
}
