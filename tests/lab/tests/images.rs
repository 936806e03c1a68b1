//! Runs every image of the lab on real hosts. The good tags answer, and each bad tag fails in the way that its name says.

use std::time::Duration;

use oml_lab::{Host, Lab, LabSpec, Output};

const LIMIT: Duration = Duration::from_secs(120);

/// Runs an image with host networking in a container that has the image's name.
// The attribute only marks this as test code for the lints.
#[cfg(test)]
fn start(host: &Host, image: &str, options: &[&str]) {
    let (name, _) = image.split_once(':').unwrap();
    let full = format!("registry.lab:5000/omnileads/{image}");
    let mut command = vec!["docker", "run", "--detach", "--network=host", "--name", name];
    command.extend(options);
    command.push(&full);
    host.exec_ok(&command).unwrap();
}

#[cfg(test)]
fn answers(host: &Host, command: &[&str], expected: &str) {
    host.wait_until(LIMIT, command, |output| output.stdout.contains(expected)).unwrap();
}

#[test]
fn every_component_answers_with_its_version() {
    let name = format!("images-{}", std::process::id());
    let spec = LabSpec::new(&name, &["voice", "app"]);
    let Some(lab) = Lab::up_or_skip(&spec).unwrap() else { return };
    let (voice, app) = (lab.host("voice").unwrap(), lab.host("app").unwrap());
    for host in lab.hosts() {
        lab.log_in(host).unwrap();
    }
    let lan = format!("LAN_IP={}", voice.address());
    start(voice, "asterisk:230204.01", &[]);
    start(voice, "rtpengine:230328.01", &["--env", &lan]);
    start(app, "kamailio:230204.01", &[]);
    start(app, "redis:230204.01", &["--volume=oml_redis:/data"]);
    start(
        app,
        "postgres:230204.01",
        &["--env=POSTGRES_PASSWORD=secret", "--volume=oml_postgres:/var/lib/postgresql/data"],
    );
    start(app, "omlapp:1.26.0", &[]);
    start(app, "websockets:230204.01", &[]);
    start(app, "nginx:230215.01", &[]);

    let sip = |host: &str| format!("sip:{host}:5060");
    answers(
        app,
        &["sipsak", "-vv", "-s", &sip("voice")],
        "Server: OMniLeads lab asterisk 230204.01",
    );
    answers(
        voice,
        &["sipsak", "-vv", "-s", &sip("app")],
        "Server: OMniLeads lab kamailio 230204.01",
    );
    answers(voice, &["ss", "-lnu"], ":22222");
    answers(app, &["docker", "exec", "redis", "redis-cli", "ping"], "PONG");
    let query = "PGPASSWORD=secret psql -h 127.0.0.1 -U omnileads -tc 'select version()'";
    answers(app, &["docker", "exec", "postgres", "sh", "-c", query], "PostgreSQL 15");
    answers(voice, &["curl", "-sk", "https://app/"], "\"version\":\"230215.01\"");
    answers(voice, &["curl", "-sk", "https://app/accounts/login/"], "\"stand_in\":true");
    answers(
        voice,
        &["curl", "-s", "http://app:8000/health-checks"],
        "\"component\":\"websockets\"",
    );

    // These are real calls from another host.
    let _calls = app
        .spawn(&[
            "sipp", "-sn", "uac", "-s", "wait", "-m", "3", "-l", "3", "-d", "60000", "-nostdin",
            "voice",
        ])
        .unwrap();
    let count = ["docker", "exec", "asterisk", "asterisk", "-rx", "core show channels count"];
    answers(voice, &count, "3 active calls");
    voice.exec_ok(&["docker", "stop", "--time=10", "asterisk"]).unwrap();
    lab.down().unwrap();
}

#[test]
fn each_bad_tag_fails_in_the_way_its_name_says() {
    let name = format!("bad-{}", std::process::id());
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["voice"])).unwrap() else { return };
    let voice = lab.host("voice").unwrap();
    lab.log_in(voice).unwrap();
    let exit_code = |name: &str, expected: &str, last: &str| {
        answers(
            voice,
            &["docker", "inspect", "--format={{.State.Status}} {{.State.ExitCode}}", name],
            expected,
        );
        let logs = voice.exec(&["docker", "logs", name]).unwrap();
        assert!((logs.stdout + &logs.stderr).contains(last));
        voice.exec_ok(&["docker", "rm", "--force", name]).unwrap();
    };
    let options = ["sipsak", "-s", "sip:voice:5060"];

    start(voice, "asterisk:exits-at-once", &[]);
    exit_code("asterisk", "exited 1", "configuration error");

    start(voice, "asterisk:dies-in-soak", &[]);
    voice.wait_until(LIMIT, &options, Output::is_success).unwrap();
    exit_code("asterisk", "exited 139", "segmentation fault");

    start(voice, "asterisk:hangs", &[]);
    start(voice, "small:hangs", &[]);
    let briefly = ["timeout", "2", "sipsak", "-s", "sip:voice:5060"];
    assert!(!voice.exec(&briefly).unwrap().is_success());
    exit_code("small", "running 0", "never answers");
    exit_code("asterisk", "running 0", "never answers");

    start(voice, "asterisk:exits-after-20s", &[]);
    voice.wait_until(LIMIT, &options, Output::is_success).unwrap();
    exit_code("asterisk", "exited 3", "fatal: this version exits after 20 s");
}
