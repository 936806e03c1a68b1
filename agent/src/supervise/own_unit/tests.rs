use oml_common::document::instance::InstanceDocument;

use super::*;
use crate::fixtures;
use crate::paths::Slot;

const INIT: &str = "0::/init.scope\n";

fn of_version_2(group: &str) -> String {
    format!("0::{group}\n")
}

fn found(group: &str) -> Option<String> {
    unit_in(&of_version_2(group), INIT)
}

#[test]
fn the_unit_of_a_process_is_found_below_any_slices_and_above_its_own_groups() {
    for group in [
        "/system.slice/asterisk.service",
        "/system.slice/system-oml.slice/asterisk.service",
        "/asterisk.service",
        "/system.slice/asterisk.service/supervisor",
        "/system.slice/_asterisk.service",
    ] {
        assert_eq!(found(group).as_deref(), Some("asterisk.service"), "{group}");
    }
}

#[test]
fn a_process_of_a_login_or_of_a_container_is_in_no_unit_that_is_known() {
    for group in [
        "/user.slice/user-0.slice/session-3.scope",
        "/system.slice/docker-1f.scope",
        "/",
        "/..",
        "",
    ] {
        assert_eq!(found(group), None, "{group}");
    }
    assert_eq!(unit_in("rubbish", INIT), None);
    assert_eq!(unit_in(&of_version_2("/system.slice/a.service"), ""), None);
}

#[test]
fn the_unit_is_found_in_a_container_that_shows_the_groups_of_its_host() {
    let init = of_version_2("/system.slice/docker.service/1f/init.scope");
    let own = of_version_2("/system.slice/docker.service/1f/system.slice/asterisk.service");
    assert_eq!(unit_in(&own, &init).as_deref(), Some("asterisk.service"));
    // A process outside of it, and one of the container that the host's systemd knows as another.
    assert_eq!(unit_in(&of_version_2("/system.slice/ssh.service"), &init), None);
    let beside = of_version_2("/system.slice/docker.service/1f2/system.slice/asterisk.service");
    assert_eq!(unit_in(&beside, &init), None);
}

#[test]
fn the_unit_is_found_with_the_hierarchies_of_version_1_and_with_both() {
    let version_1 = "12:memory:/system.slice/memory.service\n\
                     3:cpu,cpuacct:/system.slice/cpu.service\n\
                     1:name=systemd:/system.slice/asterisk.service\n";
    let init = "12:memory:/init.scope\n1:name=systemd:/init.scope\n";
    assert_eq!(unit_in(version_1, init).as_deref(), Some("asterisk.service"));
    let hybrid = format!("{version_1}0::/system.slice/asterisk.service\n");
    let init = format!("{init}0::/init.scope\n");
    assert_eq!(unit_in(&hybrid, &init).as_deref(), Some("asterisk.service"));
    // The first process of an old systemd has the root group.
    assert_eq!(unit_in(version_1, "1:name=systemd:/\n").as_deref(), Some("asterisk.service"));
}

#[test]
fn the_unit_is_read_from_procfs() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(unit_of_process(folder.path()), None);
    for (process, group) in [("self", "/system.slice/asterisk.service"), ("1", "/init.scope")] {
        std::fs::create_dir(folder.path().join(process)).unwrap();
        std::fs::write(folder.path().join(process).join("cgroup"), of_version_2(group)).unwrap();
    }
    assert_eq!(unit_of_process(folder.path()).as_deref(), Some("asterisk.service"));
}

struct Host {
    paths: Paths,
    _folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        std::fs::create_dir_all(&paths.units).unwrap();
        Self { paths, _folder: folder }
    }

    fn write(&self, slot: Slot, instance: &InstanceDocument) {
        documents::write(&self.paths, instance, slot).unwrap();
    }

    fn write_unit(&self, name: &str, text: &str) {
        std::fs::write(self.paths.units.join(name), text).unwrap();
    }

    fn check(&self, unit: Option<&str>) -> Result<(), String> {
        check(&self.paths, &instance().component, unit).map_err(|error| error.to_string())
    }
}

fn instance() -> InstanceDocument {
    fixtures::document("asterisk", "1")
}

fn renamed() -> InstanceDocument {
    instance().edited(|new| new.unit = "oml-asterisk.service".parse().unwrap())
}

fn text(instance: &InstanceDocument) -> String {
    crate::runtime::systemd::unit_text(instance, &Paths::system())
}

#[test]
fn the_unit_that_a_document_names_is_its_own_with_any_file() {
    let host = Host::new();
    host.write(Slot::Current, &renamed());
    host.write(Slot::Previous, &instance());
    host.write_unit("asterisk.service", "[Service]\n");
    for unit in ["asterisk.service", "oml-asterisk.service"] {
        assert_eq!(host.check(Some(unit)), Ok(()));
    }
    assert_eq!(host.check(None), Ok(()), "the unit is not known");
}

#[test]
fn a_unit_that_no_document_names_is_refused_unless_an_agent_wrote_its_file_for_it() {
    let host = Host::new();
    host.write(Slot::Current, &renamed());
    let whole = text(&instance());
    host.write_unit("asterisk.service", &whole);
    assert_eq!(host.check(Some("asterisk.service")), Ok(()), "its name was changed since");
    host.write_unit("dbg.service", &whole);
    host.write_unit("edited.service", &whole.replace("asterisk.service", "edited.service"));
    for unit in ["dbg.service", "edited.service", "absent.service", "run-u1.service"] {
        let reported = host.check(Some(unit)).unwrap_err();
        let words = format!("{unit} is not the unit of asterisk, which is oml-asterisk.service");
        assert!(reported.starts_with(&words), "{reported}");
    }
}

#[test]
fn without_documents_only_a_plain_copy_is_refused() {
    let host = Host::new();
    let whole = text(&instance());
    for name in ["asterisk.service", "dbg.service"] {
        host.write_unit(name, &whole);
    }
    assert_eq!(host.check(Some("asterisk.service")), Ok(()));
    assert_eq!(host.check(Some("absent.service")), Ok(()));
    assert!(host.check(Some("dbg.service")).is_err());
}
