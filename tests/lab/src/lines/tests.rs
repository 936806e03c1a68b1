use super::*;

#[test]
fn every_image_of_every_line_can_be_made() {
    for (name, _) in LINES {
        let images = images_of(name).unwrap();
        assert!(images.len() >= 15, "{name}: {images:?}");
        for tag in ["1", "1-hangs"] {
            for image in line_images(&line(name).unwrap()).unwrap() {
                let tree = tempfile::tempdir().unwrap();
                write_rules(tree.path(), &image, tag).unwrap();
                let text = fs::read_to_string(tree.path().join(FOLDER).join(RULES)).unwrap();
                assert_eq!(text, rules_of(&image.contracts, tag).unwrap());
            }
        }
    }
}

#[test]
fn an_unknown_line_is_refused_with_those_that_there_are() {
    let said = line("4").unwrap_err().to_string();
    assert_eq!(said, "there is no line 4; use one of 1.26, 2.2, 2.6, 3");
}

#[test]
fn an_image_has_the_place_of_the_real_one_below_the_registry() {
    for (image, place) in [
        ("docker.io/postgres", "docker.io/library/postgres"),
        ("docker.io/library/postgres", "docker.io/library/postgres"),
        ("docker.io/omnileads/asterisk", "docker.io/omnileads/asterisk"),
        ("quay.io/minio/minio", "quay.io/minio/minio"),
    ] {
        assert_eq!(repository(image), place);
    }
}

#[test]
fn a_stand_in_is_linked_under_the_name_of_every_command() {
    let line = line("2.6").unwrap();
    let images = line_images(&line).unwrap();
    let app = images.iter().find(|it| it.image == "docker.io/omnileads/omlapp").unwrap();
    let tree = tempfile::tempdir().unwrap();
    write_rules(tree.path(), app, "1").unwrap();
    for name in ["opt/omnileads/bin/init_uwsgi.sh", "usr/local/bin/python3"] {
        let program = fs::read_link(tree.path().join(name)).unwrap();
        assert_eq!(program, Path::new("/oml/stand-in"), "{name}");
    }
}

#[test]
fn a_stand_in_beside_a_real_program_takes_none_of_its_commands() {
    let line = line("3").unwrap();
    let images = line_images(&line).unwrap();
    let acd = images.iter().find(|it| it.image == "docker.io/freetechsolutions/acd").unwrap();
    assert!(matches!(acd.content, Content::Both { below: "asterisk", .. }));
    let tree = tempfile::tempdir().unwrap();
    beside::write_programs(tree.path(), acd, "1").unwrap();
    let read = |name: &str| fs::read_to_string(tree.path().join(name)).unwrap();
    let script = read("usr/local/bin/python");
    assert!(script.ends_with(" --argv0 python /oml/stand-in \"$@\"\n"), "{script}");
    let rules = read("oml/lib/rules.json");
    assert!(rules.contains("main.py") && !rules.contains("docker-entrypoint"), "{rules}");
    assert!(!tree.path().join("usr/local/bin/asterisk").exists());
    assert_eq!(read("opt/asterisk/ari-app/main.py"), "# a stand-in\n");
}

#[test]
fn an_image_cannot_have_every_program() {
    let mut line = line("3").unwrap();
    let two = |it: &&mut Contract| it.image == "docker.io/freetechsolutions/kamailio";
    line.contracts.iter_mut().find(two).unwrap().runs = Some(Runs::Redis);
    let Err(error) = line_images(&line) else { panic!("it has been made") };
    assert!(error.to_string().ends_with("its contracts say different programs"), "{error}");
}
