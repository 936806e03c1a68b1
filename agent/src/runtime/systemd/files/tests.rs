//! What counts as a file of ours among everybody's.

use oml_common::document::Verbatim;
use oml_common::document::instance::PackagedUnit;

use super::super::text::{self, tests::container};
use super::*;
use crate::fixtures::{self, ModelHost};
use crate::runtime::UnitManager as _;

fn host() -> (tempfile::TempDir, Paths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    std::fs::create_dir_all(&paths.units).unwrap();
    (folder, paths)
}

fn write(paths: &Paths, instance: &InstanceDocument) {
    let text = text::render(instance, &[], paths);
    std::fs::write(path(paths, instance), text).unwrap();
}

#[test]
fn files_that_cannot_be_read_hide_none_of_ours() {
    let (_folder, paths) = host();
    write(&paths, &container());
    std::fs::write(paths.units.join("latin.service"), b"[Unit]\nDescription=Caf\xe9\n").unwrap();
    std::fs::write(paths.units.join("long.service"), vec![b'#'; (1 << 20) + 1]).unwrap();
    let found: Vec<String> =
        all(&paths).unwrap().into_iter().map(|file| file.unit.to_string()).collect();
    assert_eq!(found, ["asterisk.service"]);
}

#[test]
fn what_is_no_text_at_our_place_is_somebody_elses() {
    let (_folder, paths) = host();
    let instance = container();
    std::fs::write(path(&paths, &instance), b"[Unit]\nDescription=Caf\xe9\n").unwrap();
    assert_eq!(look(&paths, &instance).unwrap(), InstanceFile::Foreign);
}

#[test]
fn a_copy_of_our_file_under_another_name_is_not_ours() {
    let (_folder, paths) = host();
    let original = container();
    write(&paths, &original);
    let text = std::fs::read_to_string(path(&paths, &original)).unwrap();
    let copy = container().edited(|copy| copy.unit = "dbg.service".parse().unwrap());
    std::fs::write(path(&paths, &copy), &text).unwrap();
    assert_eq!(look(&paths, &copy).unwrap(), InstanceFile::Foreign);
    let files = all(&paths).unwrap();
    let copies: Vec<_> = files.iter().filter_map(|f| Some((&f.unit, f.copied_from()?))).collect();
    assert_eq!(copies, [(&copy.unit, &original.unit)]);
    // Files of an earlier release do not name their unit.
    let earlier = text.replace("X-Oml-Unit=asterisk.service\n", "");
    std::fs::write(path(&paths, &copy), earlier).unwrap();
    assert!(matches!(look(&paths, &copy).unwrap(), InstanceFile::Ours(_)));
}

#[test]
fn a_component_whose_unit_was_renamed_has_two_files_and_one_is_superseded() {
    let (_folder, paths) = host();
    let old = container();
    let new = container().edited(|new| new.unit = "oml-asterisk.service".parse().unwrap());
    write(&paths, &old);
    write(&paths, &new);
    let files = all(&paths).unwrap();
    let superseded: Vec<&str> =
        files.iter().filter(|f| f.is_superseded_by(&new)).map(|f| f.unit.as_str()).collect();
    assert_eq!((files.len(), superseded), (2, vec!["asterisk.service"]));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_concerns_its_own_component_alone() {
    let host = ModelHost::new();
    let (systemd, units) = (host.systemd(), &host.paths.units);
    let workload = Workload::Unit(PackagedUnit { drop_in: String::new() });
    let packaged = fixtures::document("kamailio", "1")
        .edited(|packaged| packaged.workload = Verbatim::seal(workload));
    let (own, other) = (fixtures::document("asterisk", "1"), fixtures::document("redis", "1"));
    systemd.write(&other).await.unwrap();
    std::fs::create_dir(units.join("asterisk.service")).unwrap();
    std::fs::write(units.join("kamailio.service.d"), "").unwrap();
    let listing = systemd.list(&[own.clone(), packaged.clone(), other.clone()]).await.unwrap();
    let shown = units.display();
    let expected = [
        (
            own.component.clone(),
            format!(
                "unit asterisk.service (could not read {shown}/asterisk.service: Is a directory \
                 (os error 21))"
            ),
        ),
        (
            packaged.component.clone(),
            format!(
                "drop-in 50-oml.conf of unit kamailio.service (could not read \
                 {shown}/kamailio.service.d/50-oml.conf: Not a directory (os error 20))"
            ),
        ),
    ];
    let shown: Vec<_> =
        listing.foreign.iter().map(|(name, object)| (name.clone(), object.to_string())).collect();
    assert_eq!(shown, expected);
    let found: Vec<_> = listing.units.iter().map(|(component, _)| component).collect();
    assert_eq!(found, [&other.component]);
    let refused = systemd.write(&own).await.unwrap_err();
    assert!(refused.is_transient(), "{refused}");
}

#[tokio::test]
async fn a_unit_that_systemd_refuses_to_read_concerns_its_own_component_alone() {
    let host = ModelHost::new();
    let systemd = host.systemd();
    let of_unit = |component: &str, unit: &str| {
        fixtures::document(component, "1").edited(|it| it.unit = unit.parse().unwrap())
    };
    let (own, other) = (of_unit("db", "db@.service"), of_unit("redis", "redis.service"));
    systemd.write(&other).await.unwrap();
    let listing = systemd.list(&[own.clone(), other.clone()]).await.unwrap();
    let shown: Vec<_> =
        listing.foreign.iter().map(|(name, object)| (name, object.to_string())).collect();
    let why = "systemd refuses to read unit db@.service: Unit name db@.service is missing the \
               instance name.";
    assert_eq!(shown, [(&own.component, why.to_owned())]);
    let found: Vec<_> = listing.units.iter().map(|(component, _)| component).collect();
    assert_eq!(found, [&other.component]);
    // Where systemd is away, nothing is known of any.
    host.host.take_away(oml_sim::Daemon::Systemd);
    assert!(systemd.list(&[other]).await.is_err());
}
