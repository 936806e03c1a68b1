//! Runs images of the lines of OMniLeads on a real host, as hosts get them through a mirror.

use std::time::Duration;

use oml_lab::{Host, Lab, LabSpec};

const LIMIT: Duration = Duration::from_secs(120);
const OPERATION: [&str; 1] = ["/opt/omnileads/bin/django_commands.sh"];
const TAGS: &[(&str, &str)] = &[
    ("docker.io/omnileads/omlapp", "20260824-7aec5d3b"),
    ("docker.io/omnileads/omlapp", "2.6.7-bad-migration"),
    ("docker.io/omnileads/dialer_asterisk", "20251125-8aef0813"),
    ("docker.io/postgres", "14.9-bullseye"),
    ("docker.io/redislabs/redisgears", "1.0.9"),
    ("quay.io/minio/minio", "RELEASE.2023-09-27T15-22-50Z"),
    ("docker.io/omnileads/kamailio", "20250825-6b854038"),
];

// The attribute only marks this as test code for the lints.
#[cfg(test)]
fn run(host: &Host, options: &str, image: &str, words: &[&str]) -> String {
    let image = format!("registry.lab:5000/{image}");
    // The words of a pull would be among those of the program.
    host.exec_ok(&["docker", "pull", "--quiet", &image]).unwrap();
    let options = options.split_whitespace();
    let mut command = vec!["docker", "run", "--network=host"];
    command.extend(options);
    command.push(&image);
    command.extend(words);
    let output = host.exec(&command).unwrap();
    format!("{}{}ended with {}\n", output.stdout, output.stderr, output.status)
}

#[cfg(test)]
fn answers(host: &Host, script: &str, expected: &str) {
    let command = ["sh", "-c", script];
    host.wait_until(LIMIT, &command, |output| output.stdout.contains(expected)).unwrap();
}

/// The options of the web application with everything that it needs.
#[cfg(test)]
fn application(further: &str) -> String {
    let line = oml_lab::line("2.6").unwrap();
    let found = line.contracts.iter().find(|it| it.image == "docker.io/omnileads/omlapp");
    let required = found.unwrap().reads.required.iter();
    let needed: Vec<String> = required.map(|key| format!("--env={key}=1")).collect();
    format!("{} {further}", needed.join(" "))
}

#[test]
fn the_images_of_a_line_run_under_their_own_names() {
    let name = format!("lines-{}", std::process::id());
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["app"])).unwrap() else { return };
    let app = lab.host("app").unwrap();
    lab.log_in(app).unwrap();
    lab.add_images_of("2.6", TAGS).unwrap();
    // What is there already is not sent again.
    lab.add_images_of("2.6", TAGS).unwrap();

    let omlapp = "docker.io/omnileads/omlapp:20260824-7aec5d3b";
    let uwsgi = "--detach --name=omlapp --env=DJANGO_HOSTNAME=127.0.0.1 --env=UWSGI_PORT=8099";
    run(app, &application(uwsgi), omlapp, &["/opt/omnileads/bin/init_uwsgi.sh"]);
    answers(app, "curl -s http://127.0.0.1:8099/accounts/login/", "\"component\":\"omlapp\"");
    let state = "docker stop --time 20 omlapp && docker inspect -f '{{.State.ExitCode}}' omlapp";
    answers(app, state, "omlapp\n0\n");
    let lacking = run(app, "--rm", omlapp, &["/opt/omnileads/bin/init_uwsgi.sh"]);
    assert!(lacking.ends_with("Falta definir setting para TZ\nended with 1\n"), "{lacking}");
    let bare = run(app, &application("--rm"), omlapp, &[]);
    assert!(bare.ends_with("the image has none of its own\nended with 127\n"), "{bare}");
    let migrated = run(app, &application("--rm"), omlapp, &OPERATION);
    assert!(migrated.ends_with("ended with 0\n"), "{migrated}");
    let bad = "docker.io/omnileads/omlapp:2.6.7-bad-migration";
    let failed = run(app, &application("--rm"), bad, &OPERATION);
    assert!(failed.ends_with("bad migration\nended with 1\n"), "{failed}");

    let dialer = "--detach --name=dialer --env=TZ=UTC --env=ASTERISK_USER=a --env=ASTERISK_PASS=b \
                  --env=OMLACD_SIP_SERVER=127.0.0.1:5260";
    run(app, dialer, "docker.io/omnileads/dialer_asterisk:20251125-8aef0813", &[]);
    answers(app, "curl -si http://127.0.0.1:8888/ari/asterisk/ping", " 401 ");
    answers(app, "docker exec dialer asterisk -rx 'core show channels count'", "0 active channels");
    answers(app, "sipsak -vv -s sip:127.0.0.1:10061", "200 OK");
    keeps_data(app);
    lab.down().unwrap();
}

/// What was stored is there after another container has taken over.
#[cfg(test)]
fn keeps_data(app: &Host) {
    let minio = "quay.io/minio/minio:RELEASE.2023-09-27T15-22-50Z";
    let options = "--detach --name=minio --volume=minio:/data --env=MINIO_ROOT_USER=a \
                   --env=MINIO_ROOT_PASSWORD=b";
    let words = ["server", "/data", "--console-address", "127.0.0.1:9001"];
    let postgres = "docker.io/library/postgres:14.9-bullseye";
    let database = "--detach --name=postgres --volume=pg:/var/lib/postgresql/data \
                    --env=POSTGRES_USER=oml --env=POSTGRES_PASSWORD=secret";
    let local = ["postgres", "-c", "listen_addresses=127.0.0.1"];
    let sql = |query: &str| {
        let psql = "docker exec -e PGPASSWORD=secret postgres psql -h 127.0.0.1 -U oml -tAc";
        format!("{psql} \"{query}\"")
    };
    let redis = "--detach --name=redis --volume=redis:/data";
    for turn in ["first", "second"] {
        run(app, options, minio, &words);
        run(app, database, postgres, &local);
        run(app, redis, "docker.io/redislabs/redisgears:1.0.9", &[]);
        answers(app, "curl -si http://127.0.0.1:9000/minio/health/live", " 200 ");
        answers(app, &sql("select 1"), "1");
        answers(app, "docker exec redis redis-cli ping", "PONG");
        if turn == "first" {
            answers(app, "curl -si -X PUT http://127.0.0.1:9000/oml", " 200 ");
            answers(app, "curl -si -X PUT -d sound http://127.0.0.1:9000/oml/a.wav", " 200 ");
            answers(app, &sql("create table kept as select 'row' as it"), "SELECT 1");
            answers(app, "docker exec redis redis-cli set kept value", "OK");
            app.exec_ok(&["docker", "rm", "--force", "minio", "postgres", "redis"]).unwrap();
        }
    }
    answers(app, "curl -s http://127.0.0.1:9000/oml/a.wav", "sound");
    answers(app, &sql("select it from kept"), "row");
    answers(app, "docker exec redis redis-cli get kept", "value");
}
