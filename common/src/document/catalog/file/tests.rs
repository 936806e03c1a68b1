//! What a catalog can say of the files of a component.

use super::*;
use crate::document::catalog::CatalogSources;

/// Reads a catalog whose only component has these files, and a template for each of these texts.
fn read(files: &str, templates: &[(&str, &str)]) -> Result<Catalog, Problems> {
    let text = format!(
        "catalog: stack\nsettings: {{port: 80}}\ncomponents:\n  web:\n    roles: [app]\n    \
         unit: web.service\n    container: web\n    image: docker.io/test/web\n    \
         volumes: [data:/var/lib/web]\n    tmpfs: [/scratch]\n    \
         probe: {{check: tcp, port: \"80\"}}\n    files:\n{files}"
    );
    let mut sources = CatalogSources::new("stack");
    sources.put("stack/catalog.yaml", Ok(text));
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            return sources.catalog();
        }
        for path in missing {
            let text = templates.iter().find(|(name, _)| path == format!("stack/files/{name}"));
            let text = text.map(|(_, text)| (*text).to_owned());
            sources.put(&path, text.ok_or_else(|| "there is no such file".to_owned()));
        }
    }
}

fn files(files: &str, templates: &[(&str, &str)]) -> Vec<FileTemplate> {
    let catalog = read(files, templates).unwrap();
    match &catalog.components.values().next().unwrap().workload {
        WorkloadTemplate::Container(container) => container.files.clone(),
        WorkloadTemplate::Unit { .. } => Vec::new(),
    }
}

fn refused(files: &str, templates: &[(&str, &str)]) -> String {
    read(files, templates).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
}

const PLAIN: &str = "    - {template: web.conf.j2, path: /etc/web.conf}\n";

#[test]
fn a_file_has_its_template_its_place_and_its_mode() {
    let text = "listen {{ settings.port }}\n";
    let full = "    - {template: sub/web.conf.j2, path: /etc/web/web.conf, mode: 0640, \
                owner: \"999:998\"}\n";
    let both = format!("{PLAIN}{full}");
    let files = files(&both, &[("web.conf.j2", text), ("sub/web.conf.j2", "plain\n")]);
    let file = |template: &str, text: &str, path: &str| FileTemplate {
        template: template.to_owned(),
        text: text.to_owned(),
        path: path.to_owned(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        is_reloaded: true,
        is_challenge: false,
    };
    let second = file("sub/web.conf.j2", "plain\n", "/etc/web/web.conf");
    let second = FileTemplate { mode: 0o640, uid: 999, gid: 998, ..second };
    assert_eq!(files, [file("web.conf.j2", text, "/etc/web.conf"), second]);
}

#[test]
fn what_cannot_be_a_file_is_refused_with_place_and_hint() {
    let at = "line 13: components.web.files[0]";
    let hints = [
        ("mode: 640x", "\"640x\" is no mode of a file (write it as in \"0640\""),
        ("mode: 4755", "\"4755\" is no mode of a file"),
        ("mode: 99", "\"99\" is no mode of a file"),
        ("owner: postgres", "\"postgres\" is no owner of a file (write the numbers"),
        ("owner: \"1:-1\"", "is no owner of a file"),
        ("mode: \"0244\"", "does not let the owner read the file"),
        ("owner: \"4294967295:0\"", "is no owner of a file"),
        ("colour: red", "colour: unknown key"),
    ];
    for (more, expected) in hints {
        let line = PLAIN.replace('}', &format!(", {more}}}"));
        let refused = refused(&line, &[("web.conf.j2", "")]);
        assert!(refused.starts_with(at) && refused.contains(expected), "{more}: {refused}");
    }
    for path in
        ["etc/web.conf", "/", "/etc/", "/etc/../web.conf", "\"{{ tenant }}\"", "\"/a\\u0007\""]
    {
        let line = PLAIN.replace("/etc/web.conf", path);
        let refused = refused(&line, &[("web.conf.j2", "")]);
        assert!(refused.contains("files[0].path: "), "{path}: {refused}");
    }
}

#[test]
fn a_file_is_in_the_way_of_nothing() {
    for (path, expected) in [
        ("/var/lib/web/web.conf", "is in the way of /var/lib/web, where data is"),
        ("/var/lib", "is in the way of /var/lib/web, where data is"),
        ("/scratch/web.conf", "is in the way of the folder in memory /scratch"),
        ("/etc/hosts", "cannot be mounted: /etc/hosts is the engine's own"),
        ("/proc/sys/web", "/proc is the engine's own"),
    ] {
        let refused = refused(&PLAIN.replace("/etc/web.conf", path), &[("web.conf.j2", "")]);
        assert!(refused.contains(expected), "{path}: {refused}");
        assert!(refused.contains("choose a path of its own"), "{path}: {refused}");
    }
    for second in ["/etc/web.conf", "/etc//web.conf", "/etc/web.conf/more"] {
        let both = format!("{PLAIN}{}", PLAIN.replace("/etc/web.conf", second));
        let refused = refused(&both, &[("web.conf.j2", "")]);
        let expected = "is in the way of /etc/web.conf, which is made of web.conf.j2";
        assert!(refused.contains("files[1]: ") && refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_template_that_cannot_be_used_is_refused_with_its_line() {
    let large = "x".repeat(FILE_BYTES_MAX + 1);
    for (text, expected) in [
        ("a\n{{ broken\n", "web.conf.j2, line 2: "),
        ("a\nb\r\n", "web.conf.j2, line 2 contains a carriage return"),
        ("a\u{1b}[0m\n", "web.conf.j2, line 1 contains "),
        ("{{ secrets.password }}", "uses secrets.password, and no secret can be in a file yet"),
        ("{% if secret %}{% endif %}", "uses secret, and no secret can be in a file yet"),
        ("{{ settings.prot }}", "uses the unknown setting prot (did you mean port?)"),
        (&large, "web.conf.j2 is larger than 65536 bytes"),
    ] {
        let refused = refused(PLAIN, &[("web.conf.j2", text)]);
        assert!(refused.contains(expected), "{expected}: {refused}");
        assert!(refused.contains("components.web.files"), "{expected}: {refused}");
    }
    let own = "{% set secret = 1 %}{{ secret }}{{ settings.port }}{{ settings['port'] }}";
    assert_eq!(refused(PLAIN, &[("web.conf.j2", own)]), "");
}

#[test]
fn a_template_that_is_not_in_the_folder_is_refused() {
    let missing = refused(PLAIN, &[]);
    assert_eq!(
        missing,
        "line 13: components.web.files[0].template: cannot read stack/files/web.conf.j2: there is no \
         such file (put it into the folder files/ beside the file that names it)"
    );
    for name in ["../catalog.yaml", "/etc/passwd", "a/../../b"] {
        let refused = refused(&PLAIN.replace("web.conf.j2", name), &[]);
        assert!(refused.contains("files[0].template: \""), "{refused}");
        assert!(refused.contains("write its name below files/"), "{refused}");
    }
    let alone = Catalog::parse(
        "catalog: stack\ncomponents:\n  web:\n    roles: [app]\n    unit: web.service\n    \
         container: web\n    image: docker.io/test/web\n    probe: {check: tcp, port: \"80\"}\n    \
         files:\n    - {template: web.conf.j2, path: /etc/web.conf}\n",
    );
    assert!(alone.unwrap_err().to_string().contains("cannot read files/web.conf.j2"));
}

#[test]
fn a_packaged_unit_has_no_files() {
    let text = "catalog: stack\ncomponents:\n  web:\n    roles: [app]\n    unit: web.service\n    \
                kind: unit\n    probe: {check: unit-active}\n    \
                files:\n    - {template: web.conf.j2, path: /etc/web.conf}\n";
    let refused = Catalog::parse(text).unwrap_err().to_string();
    assert!(refused.contains("components.web.files: a packaged unit has no files"), "{refused}");
}

#[test]
fn a_file_that_answers_challenges_names_the_account_and_no_other_does() {
    let answer = "return 200 \"$1.{{ acme.thumbprint }}\";\n";
    let challenge = "    - {template: a.j2, path: /etc/a.conf, challenge: true}\n";
    let read = files(challenge, &[("a.j2", answer)]);
    assert!(read[0].is_challenge);
    let silent = refused(challenge, &[("a.j2", "return 404;\n")]);
    assert!(
        silent.contains("a.j2 answers no challenge: it does not use acme.thumbprint"),
        "{silent}"
    );
    let plain = "    - {template: a.j2, path: /etc/a.conf}\n";
    let other = refused(plain, &[("a.j2", answer)]);
    assert!(other.contains("a.j2 uses acme.thumbprint, which not every tenant has"), "{other}");
    assert!(other.contains("add challenge: true to the file"), "{other}");
}

#[test]
fn a_short_file_has_its_text_in_the_catalog() {
    let own = "    - {path: /etc/a.conf, text: \"port {{ settings.port }}\\n\"}\n";
    let read = files(own, &[]);
    assert_eq!(
        (read[0].text.as_str(), read[0].path.as_str()),
        ("port {{ settings.port }}\n", "/etc/a.conf")
    );
    let both = "    - {path: /etc/a.conf, text: x, template: a.j2}\n";
    let why = "text: the file is made of a template already (write either template or text)";
    assert!(refused(both, &[("a.j2", "x")]).contains(why));
    let neither = refused("    - {path: /etc/a.conf}\n", &[]);
    assert!(neither.contains("template: is missing"), "{neither}");
    let broken = refused("    - {path: /etc/a.conf, text: \"{{ x\"}\n", &[]);
    assert!(broken.contains("its text, line 1: "), "{broken}");
}
