//! The contract of `ContainerEngine`: images, containers and their names, and what people do to containers by
//! hand.

use std::num::NonZeroU32;
use std::time::Duration;

use oml_common::decide::difference::{ContainerChange, Difference, ForeignObject};
use oml_common::decide::observed::ActiveState;
use oml_common::decide::ownership::NotOurs;
use oml_common::document::Verbatim;
use oml_common::document::instance::{Container, Instance, PidsLimit, Workload};
use oml_common::id::Digest;

use super::{ContractHost, in_container};
use crate::documents;
use crate::runtime::RuntimeError;

pub(super) async fn all(host: &ContractHost) {
    in_order!(
        host,
        an_image_is_pulled_once_and_a_missing_one_is_refused_for_good,
        an_image_for_another_processor_is_refused_for_good,
        a_container_is_confined_unless_its_document_says_otherwise,
        the_last_two_before_a_version_are_left_when_it_takes_its_name,
        only_what_does_not_run_and_is_not_kept_is_removed,
        a_container_of_somebody_else_is_named_and_left_alone,
        a_lost_document_is_read_from_the_container,
        a_command_gives_its_status_and_output,
        a_signal_to_read_files_again_reaches_a_program_and_does_not_count_as_its_end,
        a_signal_that_stops_a_container_counts_as_its_end,
        a_missing_secret_is_reported_before_anything_is_made,
        a_copy_of_a_container_is_reported_and_left_alone,
        a_copy_under_the_name_of_a_kept_container_blocks_nothing,
        a_container_renamed_by_hand_stays_ours_and_gets_its_name_back,
        two_components_whose_names_were_exchanged_by_hand_get_them_back,
        a_paused_or_updated_container_is_reported,
        the_removal_of_an_image_counts_as_a_change,
    );
}

async fn an_image_is_pulled_once_and_a_missing_one_is_refused_for_good(host: &ContractHost) {
    let instance = host.instance("contract-pull", "v1", &host.images.first, 8301);
    host.pull(&instance).await.unwrap();
    host.pull(&instance).await.unwrap();
    let (docker, _) = host.listing(&instance).await;
    assert!(docker.images.contains(&host.images.first));

    let absent: Digest = format!("sha256:{}", "f".repeat(64)).parse().unwrap();
    let missing = host.instance("contract-pull", "v9", &absent, 8301);
    let error = host.pull(&missing).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(matches!(error, RuntimeError::Refused { verb: "pull", .. }), "{error}");
    // Nothing to make a container from.
    let error = host.docker.create(in_container(&missing)).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
}

async fn the_removal_of_an_image_counts_as_a_change(host: &ContractHost) {
    let instance = host.instance("contract-untagged", "v2", &host.images.second, 8317);
    let mut changes = host.docker.changes();
    host.pull(&instance).await.unwrap();
    // What counted until now is over once nothing counts for a while.
    host.until("no change is reported", async || {
        changes.mark_unchanged();
        tokio::time::timeout(Duration::from_secs(1), changes.changed()).await.is_err()
    })
    .await;
    host.manual.remove_image(&instance);
    host.until("the engine reports a change", async || changes.has_changed().unwrap()).await;
    let (docker, _) = host.listing(&instance).await;
    assert!(!docker.images.contains(&host.images.second));
}

async fn an_image_for_another_processor_is_refused_for_good(host: &ContractHost) {
    let instance = host.instance("contract-foreign", "v1", &host.images.foreign, 8316);
    let error = host.pull(&instance).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("no matching manifest"), "{error}");
}

async fn a_container_is_confined_unless_its_document_says_otherwise(host: &ContractHost) {
    let instance = host.instance("contract-pids", "v1", &host.images.first, 8315);
    host.install(&instance).await;
    let name = &instance.container().unwrap().name;
    assert_eq!(host.manual.confinement(name.as_str()), "4096 [no-new-privileges]");
    let container = Container {
        pids_limit: PidsLimit(NonZeroU32::new(64).unwrap()),
        may_gain_privileges: true,
        ..instance.container().unwrap().clone()
    };
    let workload = Verbatim::seal(Workload::Container(container));
    let instance = Verbatim::seal(Instance { workload, ..(*instance).clone() });
    host.install(&instance).await;
    assert_eq!(host.manual.confinement(name.as_str()), "64 []");
    host.clear(&instance).await;
}

async fn the_last_two_before_a_version_are_left_when_it_takes_its_name(host: &ContractHost) {
    let versions = [("v1", &host.images.first), ("v2", &host.images.second)]
        .into_iter()
        .chain([("v3", &host.images.first)])
        .map(|(version, digest)| host.instance("contract-third", version, digest, 8314));
    let versions: Vec<_> = versions.collect();
    for version in &versions {
        host.install(version).await;
    }
    let mut names = Vec::new();
    for version in &versions {
        names.push(host.container(version).await.map(|container| container.name));
    }
    let own = "oml-contract-third-server";
    let spare = format!("{own}-next-{}", versions[0].workload_hash().short());
    assert_eq!(names, [Some(spare), Some(format!("{own}-prev")), Some(own.to_owned())]);
    host.clear(&versions[2]).await;
}

async fn only_what_does_not_run_and_is_not_kept_is_removed(host: &ContractHost) {
    let old = host.instance("contract-keep", "v1", &host.images.first, 8306);
    let new = host.instance("contract-keep", "v2", &host.images.second, 8306);
    let spare = host.instance("contract-keep", "v3", &host.images.second, 8306);
    host.install(&old).await;
    host.prepare(&spare).await;
    host.prepare(&new).await;
    host.switch(&new).await.unwrap();
    let keep = [new.workload_hash(), old.workload_hash()];
    host.docker.remove(&old.component, &keep).await.unwrap();
    assert!(host.container(&spare).await.is_none());
    assert!(host.container(&old).await.is_some());
    host.docker.remove(&old.component, &[]).await.unwrap();
    assert!(host.container(&old).await.is_none());
    assert!(host.runs(&new).await, "what runs is never removed");
    host.systemd.remove(&old.component).await.unwrap();
    assert!(host.unit(&new).await.is_some_and(|unit| unit.active == ActiveState::Active));
    host.clear(&new).await;
}

async fn a_container_of_somebody_else_is_named_and_left_alone(host: &ContractHost) {
    let instance = host.instance("contract-name", "v1", &host.images.first, 8307);
    host.pull(&instance).await.unwrap();
    host.manual.take_name(&instance, "oml-contract-name-server");
    let (docker, _) = host.listing(&instance).await;
    let foreign = ForeignObject::Container { name: "oml-contract-name-server".to_owned() };
    assert_eq!(docker.foreign, [(instance.component.clone(), foreign.clone())]);
    assert!(host.containers(&instance.component).await.is_empty());
    let error = host.docker.create(in_container(&instance)).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Foreign(what) if *what == foreign), "{error}");
    host.docker.remove(&instance.component, &[]).await.unwrap();
    let (docker, _) = host.listing(&instance).await;
    assert_eq!(docker.foreign.len(), 1, "it must still be there");
    host.manual.remove_container("oml-contract-name-server");
}

async fn a_lost_document_is_read_from_the_container(host: &ContractHost) {
    let instance = host.instance("contract-label", "v1", &host.images.first, 8311);
    host.install(&instance).await;
    documents::remove(&host.paths, &instance.component).unwrap();
    let hash = instance.workload_hash();
    let labelled = host.docker.document(&instance.component, &hash).await.unwrap();
    assert_eq!(labelled.as_ref(), Some(&instance));
    host.systemd.start(&instance).await.unwrap();
    assert!(host.runs(&instance).await);
    host.clear(&instance).await;
}

async fn a_command_gives_its_status_and_output(host: &ContractHost) {
    let instance = host.instance("contract-exec", "v1", &host.images.first, 8312);
    let component = instance.component.clone();
    let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let echo = command(&["echo", "three"]);
    assert!(host.docker.exec(&component, &echo, 5_000).await.is_err(), "nothing runs yet");
    host.install(&instance).await;
    let output = host.docker.exec(&component, &echo, 5_000).await.unwrap();
    assert_eq!((output.exit_code, output.stdout.as_str()), (0, "three\n"));
    let output = host.docker.exec(&component, &command(&["false"]), 5_000).await.unwrap();
    assert_eq!(output.exit_code, 1);
    // Release 0.1.0 relies on it where several commands count calls.
    let refused = host.docker.exec(&component, &[], 5_000).await.unwrap_err();
    assert!(matches!(refused, RuntimeError::Refused { .. }), "{refused}");
    host.clear(&instance).await;
}

async fn a_signal_to_read_files_again_reaches_a_program_and_does_not_count_as_its_end(
    host: &ContractHost,
) {
    // A program that does nothing about this signal goes on (signal(7)).
    let signal = "SIGWINCH";
    let instance = host.instance("contract-signal", "v1", &host.images.first, 8395);
    host.install(&instance).await;
    let running = host.container(&instance).await.unwrap();
    let since = host.started(&instance).await;
    host.docker.calls().signal(&running.id, signal).await.unwrap();
    assert_eq!(host.started(&instance).await, since);
    let until = since.plus_ms(4_000);
    let events = host.docker.calls().container_events(&running.id, since, until);
    assert!(!events.await.unwrap().killed);
    host.systemd.stop(&instance.component).await.unwrap();
    let error = host.docker.calls().signal(&running.id, signal).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
    host.clear(&instance).await;
}

async fn a_signal_that_stops_a_container_counts_as_its_end(host: &ContractHost) {
    let signal = "SIGUSR1";
    let instance = host.instance("contract-stop-signal", "v1", &host.images.first, 8396);
    let workload = instance.workload.edited(|workload| {
        let Workload::Container(container) = workload else { panic!("it is a container") };
        container.options.stop_signal = Some(signal.to_owned());
    });
    let instance = instance.edited(|instance| instance.workload = workload);
    host.install(&instance).await;
    let running = host.container(&instance).await.unwrap();
    let since = host.started(&instance).await;
    host.docker.calls().signal(&running.id, signal).await.unwrap();
    let until = since.plus_ms(4_000);
    let events = host.docker.calls().container_events(&running.id, since, until);
    assert!(events.await.unwrap().killed);
    host.clear(&instance).await;
}

async fn a_missing_secret_is_reported_before_anything_is_made(host: &ContractHost) {
    let instance = host.instance("contract-secret", "v1", &host.images.first, 8327);
    let workload = instance.workload.edited(|workload| {
        let Workload::Container(container) = workload else { panic!("it is a container") };
        container.secrets.insert("TOKEN".parse().unwrap(), "contract_token".parse().unwrap());
    });
    let instance = instance.edited(|instance| instance.workload = workload);
    host.pull(&instance).await.unwrap();
    let error = host.docker.create(in_container(&instance)).await.unwrap_err().to_string();
    let path = host.paths.secret(&"contract_token".parse().unwrap());
    assert!(error.contains(&format!("{} is missing", path.display())), "{error}");
    assert!(host.containers(&instance.component).await.is_empty());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "sesame\n").unwrap();
    host.install(&instance).await;
    let environment = host.manual.environment("oml-contract-secret-server");
    assert!(environment.contains("TOKEN=sesame "), "{environment}");
    std::fs::remove_file(path).unwrap();
    host.clear(&instance).await;
}

async fn a_copy_of_a_container_is_reported_and_left_alone(host: &ContractHost) {
    let instance = host.instance("contract-copy", "v1", &host.images.first, 8320);
    let component = &instance.component;
    host.install(&instance).await;
    let original = host.container(&instance).await.unwrap();
    assert_eq!(host.differs(&instance).await, [], "an installed one differs in nothing");
    host.manual.copy_container(&original.name, "contract-dbg");
    let (name, why) = ("contract-dbg".to_owned(), NotOurs::OtherImage);
    let expected = Difference::LabelledContainer { name, why };
    assert_eq!(host.differs(&instance).await, [expected]);
    assert_eq!(host.containers(component).await.len(), 1);
    host.docker.promote(in_container(&instance)).await.unwrap();
    host.manual.systemctl("stop", &instance).await;
    assert!(!host.runs(&instance).await);
    let echo = ["echo", "three"].map(str::to_owned);
    assert!(host.docker.exec(component, &echo, 5_000).await.is_err(), "only the copy runs");
    host.docker.stop(component).await.unwrap();
    // Without a document, the supervisor has only the labels to go by.
    documents::remove(&host.paths, component).unwrap();
    host.systemd.start(&instance).await.unwrap();
    assert_eq!(host.container(&instance).await.map(|c| c.id), Some(original.id));
    assert_eq!(host.unit(&instance).await.unwrap().active, ActiveState::Active);
    host.clear(&instance).await;
    assert!(host.manual.is_running("contract-dbg"));
    host.manual.remove_copy("contract-dbg");
}

async fn a_copy_under_the_name_of_a_kept_container_blocks_nothing(host: &ContractHost) {
    let old = host.instance("contract-prev", "v1", &host.images.first, 8321);
    let new = host.instance("contract-prev", "v2", &host.images.second, 8321);
    host.install(&old).await;
    let own = host.container(&old).await.unwrap().name;
    let previous = format!("{own}-prev");
    host.manual.copy_container(&own, &previous);
    host.install(&new).await;
    assert!(host.runs(&new).await);
    assert_eq!(host.container(&new).await.map(|c| c.name), Some(own));
    assert!(host.container(&old).await.is_some_and(|kept| kept.name != previous));
    host.clear(&new).await;
    assert!(host.manual.is_running(&previous));
    host.manual.remove_copy(&previous);
}

async fn a_container_renamed_by_hand_stays_ours_and_gets_its_name_back(host: &ContractHost) {
    let instance = host.instance("contract-renamed", "v1", &host.images.first, 8322);
    host.install(&instance).await;
    let original = host.container(&instance).await.unwrap();
    host.manual.rename_container(&original.name, "contract-mine");
    host.manual.systemctl("restart", &instance).await;
    let renamed = host.container(&instance).await.unwrap();
    assert_eq!((renamed.name.as_str(), &renamed.id), ("contract-mine", &original.id));
    assert!(renamed.is_running());
    let change = ContainerChange::Renamed { own: original.name.clone() };
    let expected = Difference::Container { name: "contract-mine".to_owned(), change };
    assert_eq!(host.differs(&instance).await, [expected]);
    host.docker.promote(in_container(&instance)).await.unwrap();
    assert_eq!(host.differs(&instance).await, []);
    let again = host.container(&instance).await.unwrap();
    assert_eq!((again.name, again.id), (original.name, original.id));
    host.clear(&instance).await;
}

async fn two_components_whose_names_were_exchanged_by_hand_get_them_back(host: &ContractHost) {
    let one = host.instance("contract-one", "v1", &host.images.first, 8324);
    let other = host.instance("contract-other", "v1", &host.images.first, 8325);
    host.install(&one).await;
    host.install(&other).await;
    let [first, second] =
        [host.container(&one).await.unwrap(), host.container(&other).await.unwrap()];
    host.manual.rename_container(&first.name, "contract-tmp");
    host.manual.rename_container(&second.name, &first.name);
    host.manual.rename_container("contract-tmp", &second.name);
    let desired = [one.clone(), other.clone()];
    assert_eq!(host.docker.list(&desired).await.unwrap().foreign, []);
    for instance in &desired {
        host.docker.promote(in_container(instance)).await.unwrap();
    }
    for (instance, before) in [(&one, first), (&other, second)] {
        let now = host.container(instance).await.unwrap();
        assert_eq!((now.name, now.id, now.state), (before.name, before.id, before.state));
        host.clear(instance).await;
    }
}

async fn a_paused_or_updated_container_is_reported(host: &ContractHost) {
    let instance = host.instance("contract-update", "v1", &host.images.first, 8323);
    host.install(&instance).await;
    let name = host.container(&instance).await.unwrap().name;
    host.manual.pause_container(&name, true);
    let changed = |change| Difference::Container { name: name.clone(), change };
    assert_eq!(host.differs(&instance).await, [changed(ContainerChange::Paused)]);
    assert!(host.runs(&instance).await);
    host.manual.pause_container(&name, false);
    assert_eq!(host.differs(&instance).await, []);
    host.manual.update_container(&name);
    let expected = [
        changed(ContainerChange::RestartPolicy { policy: "always".to_owned() }),
        changed(ContainerChange::MemoryLimit { is_bytes: Some(64 << 20), was_bytes: None }),
        changed(ContainerChange::Option {
            word: "pids_limit",
            is: "20".to_owned(),
            was: "4096".to_owned(),
        }),
    ];
    assert_eq!(host.differs(&instance).await, expected);
    host.clear(&instance).await;
}
