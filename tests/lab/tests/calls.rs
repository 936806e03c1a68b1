//! Calls through the real programs of the lab: an agent logs in at Kamailio, rtpengine carries the media and Asterisk
//! answers.

use std::time::Duration;

use oml_lab::{AgentLogin, Browser, Host, Lab, LabSpec, SipWay, Telephone, until};

const LIMIT: Duration = Duration::from_secs(60);
const KEY_FILE: &str = "/run/key";
/// The key of logins.
const KEY: &str = "a-key-of-this-test";
const CERTIFICATES: &str = "/etc/omnileads/certs";
/// The name that the web server and Kamailio show in their certificate.
const NAME: &str = "pbx.example.com";
const FIRST: AgentLogin<'_> = AgentLogin { number: "1001", key_file: KEY_FILE };
const SECOND: AgentLogin<'_> = AgentLogin { number: "1002", key_file: KEY_FILE };

/// Starts an image with host networking in a container that has the image's name.
#[cfg(test)]
fn start(host: &Host, image: &str, env: &str, more: &[&str]) {
    let (name, _) = image.split_once(':').unwrap();
    let full = format!("registry.lab:5000/omnileads/{image}");
    let mut command = vec!["docker", "run", "--detach", "--network=host", "--name", name];
    command.extend(env.split_whitespace().flat_map(|variable| ["--env", variable]));
    command.extend(more);
    command.push(&full);
    host.exec_ok(&command).unwrap();
}

#[cfg(test)]
fn answers(host: &Host, command: &[&str], expected: &str) {
    host.wait_until(LIMIT, command, |output| output.stdout.contains(expected)).unwrap();
}

#[cfg(test)]
fn asterisk(host: &Host, command: &str) -> String {
    host.exec_ok(&["docker", "exec", "asterisk", "asterisk", "-rx", command]).unwrap()
}

/// Puts another certificate of the name where the programs read it.
#[cfg(test)]
fn make_certificate(host: &Host) {
    let script = format!(
        "mkdir -p {CERTIFICATES} && cd {CERTIFICATES} && openssl req -x509 -newkey ec \
         -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN={NAME} \
         -addext subjectAltName=DNS:{NAME} -keyout key.pem -out cert.pem 2>&1"
    );
    host.exec_ok(&["sh", "-c", &script]).unwrap();
}

/// Starts Asterisk and rtpengine on one host, and Redis, Kamailio and nginx on the other, each with the other's address.
#[cfg(test)]
fn start_all(lab: &Lab) {
    let (voice, app) = (lab.host("voice").unwrap(), lab.host("app").unwrap());
    for host in lab.hosts() {
        lab.log_in(host).unwrap();
    }
    make_certificate(app);
    app.push(KEY_FILE, KEY.as_bytes(), 0o600).unwrap();
    app.push("/run/wrong-key", b"another-key", 0o600).unwrap();
    let (far, near) = (voice.address(), app.address());
    let env = format!("ENV=lan TZ=UTC AMI_USER=lab AMI_PASSWORD=secret ASTERISK_HOSTNAME={far}");
    start(voice, "asterisk:230204.01", &env, &[]);
    start(voice, "rtpengine:230328.01", &format!("RTPENGINE_HOSTNAME={far}"), &[]);
    start(app, "redis:230204.01", "", &["--volume=oml_redis:/data"]);
    answers(voice, &["ss", "-lnuH", "sport = :22222"], "UNCONN");
    answers(voice, &["sipsak", "-vv", "-s", &format!("sip:{far}:5060")], "Server: OMniLeads");
    answers(app, &["docker", "exec", "redis", "redis-cli", "ping"], "PONG");
    let folder = format!("--volume={CERTIFICATES}:{CERTIFICATES}");
    let env = format!(
        "KAMAILIO_HOSTNAME={near} ASTERISK_HOSTNAME={far} REDIS_HOSTNAME={near} RTPENGINE_HOSTNAME={far} \
         KAMAILIO_CERTS_LOCATION={CERTIFICATES} AUTHEPH_SK={KEY}"
    );
    start(app, "kamailio:230204.01", &env, &[&folder]);
    let env = format!(
        "DJANGO_HOSTNAME={near} WSGI_PORT=8099 DAPHNE_HOSTNAME={near} ASGI_PORT=8098 KAMAILIO_HOSTNAME={near} \
         KAMAILIO_PORT=14443 WEBSOCKETS_HOSTNAME={near} WEBSOCKETS_PORT=8000 S3_ENDPOINT=http://{near}:9000"
    );
    start(app, "nginx:230215.01", &env, &[&folder]);
    wait_for_kamailio(app);
    answers(app, &["curl", "-sk", "https://127.0.0.1/health"], "OK");
}

#[cfg(test)]
fn wait_for_kamailio(app: &Host) {
    let edge = format!("sip:{}:10060", app.address());
    answers(app, &["sipsak", "-vv", "-s", &edge], "SIP/2.0 200");
}

#[test]
fn a_call_goes_through_kamailio_and_rtpengine_and_stays_when_kamailio_restarts() {
    let name = format!("calls-{}", std::process::id());
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["voice", "app"])).unwrap() else {
        return;
    };
    start_all(&lab);
    let (voice, app) = (lab.host("voice").unwrap(), lab.host("app").unwrap());
    let near = app.address().to_string();
    let way = SipWay { address: &near, port: 10060, domain: &near, from: None, browser: None };

    let mut call = Telephone::call(app, way, FIRST, "echo").unwrap();
    let seen = call.hear(100).unwrap();
    let (carrier, port) = seen.media.split_once(':').unwrap();
    assert_eq!(carrier, voice.address().to_string());
    assert!((20_000..=30_000).contains(&port.parse::<u16>().unwrap()), "{seen:?}");
    assert!(asterisk(voice, "core show channels count").contains("1 active channel"));
    // It remembers nothing of a call: both ends and rtpengine do.
    app.exec_ok(&["docker", "restart", "kamailio"]).unwrap();
    wait_for_kamailio(app);
    let seen = call.hear(100).unwrap();
    assert!(call.is_up().unwrap() && seen.longest_gap_ms < 2_000, "{seen:?}");
    call.end().unwrap();
    assert!(asterisk(voice, "core show channels count").contains("0 active channels"));

    let mut cut = Telephone::call(app, way, FIRST, "wait").unwrap();
    asterisk(voice, "channel request hangup all");
    until("the call ends", LIMIT, || match cut.is_up() {
        Ok(false) => Ok(()),
        seen => Err(format!("{seen:?}")),
    })
    .unwrap();
    assert!(cut.end().unwrap_err().to_string().ends_with("the other side hung up"));
    let stranger = AgentLogin { key_file: "/run/wrong-key", ..FIRST };
    let refused = Telephone::call(app, way, stranger, "echo").unwrap_err().to_string();
    assert!(refused.contains("407 Proxy Authentication Required"), "{refused}");
    lab.down().unwrap();
}

#[test]
fn a_browser_stays_logged_in_when_nginx_reloads_and_gets_the_calls_of_its_queue() {
    let name = format!("browser-{}", std::process::id());
    let Some(lab) = Lab::up_or_skip(&LabSpec::new(&name, &["voice", "app"])).unwrap() else {
        return;
    };
    start_all(&lab);
    let (voice, app) = (lab.host("voice").unwrap(), lab.host("app").unwrap());
    let near = app.address().to_string();
    app.exec_ok(&["cp", &format!("{CERTIFICATES}/cert.pem"), "/run/first.pem"]).unwrap();
    let browser = Browser { name: NAME, authority: "/run/first.pem", path: "/ws" };
    let through_nginx =
        SipWay { address: &near, port: 443, domain: &near, from: None, browser: Some(browser) };
    let direct = SipWay { port: 14443, ..through_nginx };

    let mut logged_in = Telephone::register(app, through_nginx, FIRST).unwrap();
    let first = logged_in.seen().unwrap().certificate;
    let keys = app.exec_ok(&["docker", "exec", "redis", "redis-cli", "-n", "1", "keys", "*"]);
    assert!(keys.unwrap().contains("location:entry:"));
    assert!(
        asterisk(voice, "pjsip show contacts").contains(&format!("1001/sip:1001@{near}:10060"))
    );
    assert_eq!(Telephone::connect(app, direct).unwrap().end().unwrap().certificate, first);

    make_certificate(app);
    app.exec_ok(&["docker", "exec", "nginx", "nginx", "-s", "reload"]).unwrap();
    let renewed = SipWay {
        browser: Some(Browser { authority: "/etc/omnileads/certs/cert.pem", ..browser }),
        ..through_nginx
    };
    until("nginx shows the new certificate", LIMIT, || {
        Telephone::connect(app, renewed).map(drop).map_err(|error| error.to_string())
    })
    .unwrap();
    assert!(logged_in.is_up().unwrap());
    // Kamailio reads its certificate only when it starts: its configuration names no file of TLS settings.
    let reload = app.exec(&["docker", "exec", "kamailio", "kamcmd", "tls.reload"]).unwrap();
    let said = reload.stdout + &reload.stderr;
    assert!(said.contains("500 - No TLS configuration file configured"), "{said}");
    Telephone::connect(app, direct).unwrap().end().unwrap();

    let plain = SipWay { port: 10060, browser: None, ..through_nginx };
    let waiting = Telephone::call(app, plain, SECOND, "queue").unwrap();
    answers(
        voice,
        &["docker", "exec", "asterisk", "asterisk", "-rx", "queue show agents"],
        "1 calls",
    );
    until("the agent is called", LIMIT, || {
        let calls = logged_in.seen().map_err(|error| error.to_string())?.calls;
        if calls > 0 { Ok(()) } else { Err("no call has come".to_owned()) }
    })
    .unwrap();
    waiting.end().unwrap();
    logged_in.end().unwrap();
    lab.down().unwrap();
}
