//! The contract of `ContainerEngine`: images, containers and their names, and what people do to containers by
//! hand.

use std::num::NonZeroU32;

use oml_common::decide::observed::ActiveState;
use oml_common::document::Verbatim;
use oml_common::document::instance::{Container, Instance, PidsLimit, Workload};
use oml_common::id::Digest;

use super::{Place, in_container};
use crate::documents;
use crate::runtime::RuntimeError;

pub(super) async fn all(place: &Place) {
    in_order!(
        place,
        an_image_is_fetched_once_and_a_missing_one_is_refused_for_good,
        an_image_for_another_processor_is_refused_for_good,
        a_container_is_confined_unless_its_document_says_otherwise,
        the_last_two_before_a_version_are_left_when_it_takes_its_name,
        only_what_does_not_run_and_is_not_kept_is_removed,
        a_container_of_somebody_else_is_named_and_left_alone,
        a_lost_document_is_read_from_the_container,
        a_command_gives_its_status_and_output,
        a_missing_secret_is_reported_before_anything_is_made,
        a_copy_of_a_container_is_reported_and_left_alone,
        a_copy_under_the_name_of_a_kept_container_blocks_nothing,
        a_container_renamed_by_hand_stays_ours_and_gets_its_name_back,
        two_components_whose_names_were_exchanged_by_hand_get_them_back,
        a_paused_or_updated_container_is_reported,
    );
}

async fn an_image_is_fetched_once_and_a_missing_one_is_refused_for_good(place: &Place) {
    let instance = place.instance("contract-fetch", "v1", &place.images.first, 8301);
    place.pull(&instance).await.unwrap();
    place.pull(&instance).await.unwrap();
    let (docker, _) = place.listing(&instance).await;
    assert!(docker.images.contains(&place.images.first));

    let absent: Digest = format!("sha256:{}", "f".repeat(64)).parse().unwrap();
    let missing = place.instance("contract-fetch", "v9", &absent, 8301);
    let error = place.pull(&missing).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(matches!(error, RuntimeError::Refused { verb: "pull", .. }), "{error}");
    // Nothing to make a container from.
    let error = place.docker.create(in_container(&missing)).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
}

async fn an_image_for_another_processor_is_refused_for_good(place: &Place) {
    let instance = place.instance("contract-foreign", "v1", &place.images.foreign, 8316);
    let error = place.pull(&instance).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("no matching manifest"), "{error}");
}

async fn a_container_is_confined_unless_its_document_says_otherwise(place: &Place) {
    let instance = place.instance("contract-pids", "v1", &place.images.first, 8315);
    place.install(&instance).await;
    let name = &instance.container().unwrap().name;
    assert_eq!(place.manual.confinement(name.as_str()), "4096 [no-new-privileges]");
    let container = Container {
        pids_limit: PidsLimit(NonZeroU32::new(64).unwrap()),
        may_gain_privileges: true,
        ..instance.container().unwrap().clone()
    };
    let workload = Verbatim::seal(Workload::Container(container));
    let instance = Verbatim::seal(Instance { workload, ..(*instance).clone() });
    place.install(&instance).await;
    assert_eq!(place.manual.confinement(name.as_str()), "64 []");
    place.clear(&instance).await;
}

async fn the_last_two_before_a_version_are_left_when_it_takes_its_name(place: &Place) {
    let versions = [("v1", &place.images.first), ("v2", &place.images.second)]
        .into_iter()
        .chain([("v3", &place.images.first)])
        .map(|(version, digest)| place.instance("contract-third", version, digest, 8314));
    let versions: Vec<_> = versions.collect();
    for version in &versions {
        place.install(version).await;
    }
    let mut names = Vec::new();
    for version in &versions {
        names.push(place.container(version).await.map(|container| container.name));
    }
    let own = "oml-contract-third-server";
    let spare = format!("{own}-next-{}", versions[0].workload_hash().short());
    assert_eq!(names, [Some(spare), Some(format!("{own}-prev")), Some(own.to_owned())]);
    place.clear(&versions[2]).await;
}

async fn only_what_does_not_run_and_is_not_kept_is_removed(place: &Place) {
    let old = place.instance("contract-keep", "v1", &place.images.first, 8306);
    let new = place.instance("contract-keep", "v2", &place.images.second, 8306);
    let spare = place.instance("contract-keep", "v3", &place.images.second, 8306);
    place.install(&old).await;
    place.prepare(&spare).await;
    place.prepare(&new).await;
    place.switch(&new).await.unwrap();
    let keep = [new.workload_hash(), old.workload_hash()];
    place.docker.remove(&old.component, &keep).await.unwrap();
    assert!(place.container(&spare).await.is_none());
    assert!(place.container(&old).await.is_some());
    place.docker.remove(&old.component, &[]).await.unwrap();
    assert!(place.container(&old).await.is_none());
    assert!(place.runs(&new).await, "what runs is never removed");
    place.systemd.remove(&old.component).await.unwrap();
    assert!(place.unit(&new).await.is_some_and(|unit| unit.active == ActiveState::Active));
    place.clear(&new).await;
}

async fn a_container_of_somebody_else_is_named_and_left_alone(place: &Place) {
    let instance = place.instance("contract-name", "v1", &place.images.first, 8307);
    place.pull(&instance).await.unwrap();
    place.manual.take_name(&instance, "oml-contract-name-server");
    let (docker, _) = place.listing(&instance).await;
    let foreign = "container oml-contract-name-server".to_owned();
    assert_eq!(docker.foreign, [(instance.component.clone(), foreign.clone())]);
    assert!(place.containers(&instance.component).await.is_empty());
    let error = place.docker.create(in_container(&instance)).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Foreign(what) if *what == foreign), "{error}");
    place.docker.remove(&instance.component, &[]).await.unwrap();
    let (docker, _) = place.listing(&instance).await;
    assert_eq!(docker.foreign.len(), 1, "it must still be there");
    place.manual.remove_container("oml-contract-name-server");
}

async fn a_lost_document_is_read_from_the_container(place: &Place) {
    let instance = place.instance("contract-label", "v1", &place.images.first, 8311);
    place.install(&instance).await;
    documents::remove(&place.paths, &instance.component).unwrap();
    let hash = instance.workload_hash();
    let labelled = place.docker.document(&instance.component, &hash).await.unwrap();
    assert_eq!(labelled.as_ref(), Some(&instance));
    place.systemd.start(&instance).await.unwrap();
    assert!(place.runs(&instance).await);
    place.clear(&instance).await;
}

async fn a_command_gives_its_status_and_output(place: &Place) {
    let instance = place.instance("contract-exec", "v1", &place.images.first, 8312);
    let component = instance.component.clone();
    let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let echo = command(&["echo", "three"]);
    assert!(place.docker.exec(&component, &echo, 5_000).await.is_err(), "nothing runs yet");
    place.install(&instance).await;
    let output = place.docker.exec(&component, &echo, 5_000).await.unwrap();
    assert_eq!((output.exit_code, output.stdout.as_str()), (0, "three\n"));
    let output = place.docker.exec(&component, &command(&["false"]), 5_000).await.unwrap();
    assert_eq!(output.exit_code, 1);
    place.clear(&instance).await;
}

async fn a_missing_secret_is_reported_before_anything_is_made(place: &Place) {
    let instance = place.instance("contract-secret", "v1", &place.images.first, 8327);
    let workload = instance.workload.edited(|workload| {
        let Workload::Container(container) = workload else { panic!("it is a container") };
        container.secrets.insert("TOKEN".parse().unwrap(), "contract_token".parse().unwrap());
    });
    let instance = instance.edited(|instance| instance.workload = workload);
    place.pull(&instance).await.unwrap();
    let error = place.docker.create(in_container(&instance)).await.unwrap_err().to_string();
    let path = place.paths.secret(&"contract_token".parse().unwrap());
    assert!(error.contains(&format!("{} is missing", path.display())), "{error}");
    assert!(place.containers(&instance.component).await.is_empty());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "sesame\n").unwrap();
    place.install(&instance).await;
    let environment = place.manual.environment("oml-contract-secret-server");
    assert!(environment.contains("TOKEN=sesame "), "{environment}");
    std::fs::remove_file(path).unwrap();
    place.clear(&instance).await;
}

async fn a_copy_of_a_container_is_reported_and_left_alone(place: &Place) {
    let instance = place.instance("contract-copy", "v1", &place.images.first, 8320);
    let component = &instance.component;
    place.install(&instance).await;
    let original = place.container(&instance).await.unwrap();
    assert_eq!(place.differs(&instance).await, [""; 0], "an installed one differs in nothing");
    place.manual.copy_container(&original.name, "contract-dbg");
    let reported =
        "container contract-dbg has its labels but runs another image: not ours, left alone";
    assert_eq!(place.differs(&instance).await, [reported]);
    assert_eq!(place.containers(component).await.len(), 1);
    place.docker.promote(in_container(&instance)).await.unwrap();
    place.manual.systemctl("stop", &instance).await;
    assert!(!place.runs(&instance).await);
    let echo = ["echo", "three"].map(str::to_owned);
    assert!(place.docker.exec(component, &echo, 5_000).await.is_err(), "only the copy runs");
    place.docker.stop(component).await.unwrap();
    // Without a document, the supervisor has only the labels to go by.
    documents::remove(&place.paths, component).unwrap();
    place.systemd.start(&instance).await.unwrap();
    assert_eq!(place.container(&instance).await.map(|c| c.id), Some(original.id));
    assert_eq!(place.unit(&instance).await.unwrap().active, ActiveState::Active);
    place.clear(&instance).await;
    assert!(place.manual.is_running("contract-dbg"));
    place.manual.remove_copy("contract-dbg");
}

async fn a_copy_under_the_name_of_a_kept_container_blocks_nothing(place: &Place) {
    let old = place.instance("contract-prev", "v1", &place.images.first, 8321);
    let new = place.instance("contract-prev", "v2", &place.images.second, 8321);
    place.install(&old).await;
    let own = place.container(&old).await.unwrap().name;
    let previous = format!("{own}-prev");
    place.manual.copy_container(&own, &previous);
    place.install(&new).await;
    assert!(place.runs(&new).await);
    assert_eq!(place.container(&new).await.map(|c| c.name), Some(own));
    assert!(place.container(&old).await.is_some_and(|kept| kept.name != previous));
    place.clear(&new).await;
    assert!(place.manual.is_running(&previous));
    place.manual.remove_copy(&previous);
}

async fn a_container_renamed_by_hand_stays_ours_and_gets_its_name_back(place: &Place) {
    let instance = place.instance("contract-renamed", "v1", &place.images.first, 8322);
    place.install(&instance).await;
    let original = place.container(&instance).await.unwrap();
    place.manual.rename_container(&original.name, "contract-mine");
    place.manual.systemctl("restart", &instance).await;
    let renamed = place.container(&instance).await.unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.id), ("contract-mine", &original.id));
    assert!(renamed.is_running());
    place.docker.promote(in_container(&instance)).await.unwrap();
    let again = place.container(&instance).await.unwrap();
    assert_eq!((again.name, again.id), (original.name, original.id));
    place.clear(&instance).await;
}

async fn two_components_whose_names_were_exchanged_by_hand_get_them_back(place: &Place) {
    let one = place.instance("contract-one", "v1", &place.images.first, 8324);
    let other = place.instance("contract-other", "v1", &place.images.first, 8325);
    place.install(&one).await;
    place.install(&other).await;
    let [first, second] =
        [place.container(&one).await.unwrap(), place.container(&other).await.unwrap()];
    place.manual.rename_container(&first.name, "contract-tmp");
    place.manual.rename_container(&second.name, &first.name);
    place.manual.rename_container("contract-tmp", &second.name);
    let desired = [one.clone(), other.clone()];
    assert_eq!(place.docker.list(&desired).await.unwrap().foreign, []);
    for instance in &desired {
        place.docker.promote(in_container(instance)).await.unwrap();
    }
    for (instance, before) in [(&one, first), (&other, second)] {
        let now = place.container(instance).await.unwrap();
        assert_eq!((now.name, now.id, now.state), (before.name, before.id, before.state));
        place.clear(instance).await;
    }
}

async fn a_paused_or_updated_container_is_reported(place: &Place) {
    let instance = place.instance("contract-update", "v1", &place.images.first, 8323);
    place.install(&instance).await;
    let name = place.container(&instance).await.unwrap().name;
    place.manual.pause_container(&name, true);
    assert_eq!(place.differs(&instance).await, [format!("container {name} is paused")]);
    assert!(place.runs(&instance).await);
    place.manual.pause_container(&name, false);
    assert_eq!(place.differs(&instance).await, [""; 0]);
    place.manual.update_container(&name);
    let reported = [
        format!("container {name} has the restart policy always, not no"),
        format!("container {name} has the memory limit 64 MiB, not none"),
    ];
    assert_eq!(place.differs(&instance).await, reported);
    place.clear(&instance).await;
}
