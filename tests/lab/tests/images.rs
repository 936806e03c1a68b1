//! Runs every image of the lab on real hosts. The good tags answer, and each bad tag fails in the way that its name says.

use std::time::Duration;

use oml_lab::{Host, Lab, LabSpec, Output};

const LIMIT: Duration = Duration::from_secs(120);

/// What Asterisk does not start without.
const ASTERISK: &str = "ENV=all TZ=UTC AMI_USER=lab AMI_PASSWORD=secret";
const RTPENGINE: &str = "RTPENGINE_HOSTNAME=127.0.0.1";
const KAMAILIO: &str = "KAMAILIO_HOSTNAME=0.0.0.0 ASTERISK_HOSTNAME=127.0.0.1 REDIS_HOSTNAME=127.0.0.1 \
                        RTPENGINE_HOSTNAME=127.0.0.1 KAMAILIO_CERTS_LOCATION=/etc/omnileads/certs";
const POSTGRES: &str = "POSTGRES_USER=omnileads POSTGRES_PASSWORD=secret";
const APPLICATION: &str = "DJANGO_HOSTNAME=127.0.0.1 UWSGI_PORT=8099 TZ=UTC INSTALL_PREFIX=/opt/omnileads/ \
                           DJANGO_SETTINGS_MODULE=production OMNILEADS_HOSTNAME=app KAMAILIO_HOSTNAME=app \
                           REDIS_HOSTNAME=app AMI_USER=lab AMI_PASSWORD=secret PGHOST=app PGPORT=5432 \
                           PGUSER=omnileads PGDATABASE=omnileads PGPASSWORD=secret EPHEMERAL_USER_TTL=1 \
                           SESSION_COOKIE_AGE=1 LOGIN_FAILURE_LIMIT=1 CALIFICACION_REAGENDA=Agenda \
                           OML_BRANCH=lab OML_COMMIT=lab OML_BUILD_DATE=lab";
const WEBSOCKETS: &str = "BIND_ADDRESS=0.0.0.0:8000 REDIS_HOST=redis://127.0.0.1";
const NGINX: &str = "DJANGO_HOSTNAME=127.0.0.1 WSGI_PORT=8099 DAPHNE_HOSTNAME=127.0.0.1 ASGI_PORT=8098 \
                     KAMAILIO_HOSTNAME=127.0.0.1 KAMAILIO_PORT=14443 WEBSOCKETS_HOSTNAME=127.0.0.1 \
                     WEBSOCKETS_PORT=8000 S3_ENDPOINT=http://127.0.0.1:9000";

/// Runs an image with host networking in a container that has the image's name.
// The attribute only marks this as test code for the lints.
#[cfg(test)]
fn start(host: &Host, image: &str, env: &str, more: &[&str]) {
    let (name, _) = image.split_once(':').unwrap();
    let full = format!("registry.lab:5000/omnileads/{image}");
    let mut command = vec!["docker", "run", "--detach", "--network=host", "--name", name];
    command.extend(env.split_whitespace().flat_map(|variable| ["--env", variable]));
    // Options of the engine come before the image, arguments of its program behind it.
    let (options, arguments): (Vec<&str>, Vec<&str>) =
        more.iter().copied().partition(|text| text.starts_with("--"));
    command.extend(options);
    command.push(&full);
    command.extend(arguments);
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
    start(voice, "asterisk:230204.01", ASTERISK, &[]);
    start(voice, "rtpengine:230328.01", RTPENGINE, &[]);
    start(app, "redis:230204.01", "", &["--volume=oml_redis:/data"]);
    answers(app, &["docker", "exec", "redis", "redis-cli", "ping"], "PONG");
    let data = "--volume=oml_postgres:/var/lib/postgresql/data";
    start(app, "postgres:230204.01", POSTGRES, &[data]);
    start(app, "omlapp:1.26.0", APPLICATION, &["/opt/omnileads/bin/init_uwsgi.sh"]);
    start(app, "websockets:230204.01", WEBSOCKETS, &[]);
    let certificates = "--volume=/etc/omnileads/certs:/etc/omnileads/certs";
    start(app, "nginx:230215.01", NGINX, &[certificates]);
    // Kamailio does not start without a certificate, and the image of nginx makes one.
    answers(voice, &["curl", "-sk", "https://app/health"], "OK");
    start(app, "kamailio:230204.01", KAMAILIO, &[certificates]);

    answers(
        app,
        &["sipsak", "-vv", "-s", "sip:voice:5060"],
        "Server: OMniLeads lab asterisk 230204.01",
    );
    answers(
        voice,
        &["sipsak", "-vv", "-s", "sip:app:10060"],
        "Server: OMniLeads lab kamailio 230204.01",
    );
    answers(voice, &["ss", "-lnu"], ":22222");
    let query = "PGPASSWORD=secret psql -h 127.0.0.1 -U omnileads -tc 'select version()'";
    answers(app, &["docker", "exec", "postgres", "sh", "-c", query], "PostgreSQL 15");
    answers(voice, &["curl", "-skI", "https://app/health"], "X-Version: 230215.01");
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

/// The rules that need the real program are seen here; those of the scripts alone are in tests/contracts.
#[test]
fn images_refuse_to_start_where_the_real_ones_do() {
    let name = format!("refused-{}", std::process::id());
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["app"])).unwrap() else { return };
    let app = lab.host("app").unwrap();
    lab.log_in(app).unwrap();
    for (image, env, code, words) in [
        ("nginx:230215.01", NGINX.split(" S3").next().unwrap(), 1, "arguments in \"proxy_pass\""),
        ("postgres:230204.01", "", 1, "Database is uninitialized"),
        ("omlapp:1.26.0", APPLICATION, 127, "no command specified"),
        ("kamailio:230204.01", KAMAILIO, 255, "cannot open connection to redis://127.0.0.1:6379"),
    ] {
        start(app, image, env, &[]);
        let (container, _) = image.split_once(':').unwrap();
        let state =
            ["docker", "inspect", "--format={{.State.Status}} {{.State.ExitCode}}", container];
        answers(app, &state, &format!("exited {code}"));
        let logs = app.exec(&["docker", "logs", container]).unwrap();
        let said = logs.stdout + &logs.stderr;
        assert!(said.contains(words), "{image} said {said}");
    }
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

    start(voice, "asterisk:exits-at-once", ASTERISK, &[]);
    exit_code("asterisk", "exited 1", "configuration error");

    start(voice, "asterisk:dies-in-soak", ASTERISK, &[]);
    voice.wait_until(LIMIT, &options, Output::is_success).unwrap();
    exit_code("asterisk", "exited 139", "segmentation fault");

    start(voice, "asterisk:hangs", ASTERISK, &[]);
    start(voice, "small:hangs", "", &[]);
    let briefly = ["timeout", "2", "sipsak", "-s", "sip:voice:5060"];
    assert!(!voice.exec(&briefly).unwrap().is_success());
    exit_code("small", "running 0", "never answers");
    exit_code("asterisk", "running 0", "never answers");

    start(voice, "asterisk:exits-after-20s", ASTERISK, &[]);
    voice.wait_until(LIMIT, &options, Output::is_success).unwrap();
    exit_code("asterisk", "exited 3", "fatal: this version exits after 20 s");
}
