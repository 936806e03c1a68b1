//! Runs the program of the stand-ins as an image does, with the rules of a contract beside it, and asks it at real sockets.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oml_lab::contract::Contract;
use oml_lab::stand_in::{PROGRAM, RULES, rules_of};
use oml_lab::{line, own_address, until};
use tempfile::TempDir;

const PROGRAM_FILE: &str = env!("CARGO_BIN_EXE_oml-stand-in");
const LIMIT: Duration = Duration::from_secs(10);

/// The files of an image, as they are in its folder `/oml`.
struct Image {
    folder: TempDir,
}

/// A program that serves.
struct Running {
    child: Child,
    /// The places where it listens, in the order of its contract.
    places: Vec<SocketAddr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

// The attribute only marks this as test code for the lints.
#[cfg(test)]
impl Image {
    fn new(contracts: &[&Contract], tag: &str) -> Self {
        // A program that was just written cannot be started while another thread starts one.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::hard_link(PROGRAM_FILE, folder.path().join(PROGRAM)).unwrap();
        fs::write(folder.path().join(RULES), rules_of(contracts, tag).unwrap()).unwrap();
        Self { folder }
    }

    /// The image of a line with this name.
    fn of_line(name: &str, image: &str, tag: &str) -> Self {
        let line = line(name).unwrap();
        let contracts: Vec<&Contract> =
            line.contracts.iter().filter(|contract| contract.image == image).collect();
        assert!(!contracts.is_empty(), "{name} has no {image}");
        Self::new(&contracts, tag)
    }

    /// An image with one contract, of which only the text after its name is given.
    fn of_text(text: &str, tag: &str) -> Self {
        let text = format!(
            "{{catalog: x, tenant: {{roles: [], settings: {{}}}}, contracts: [{{image: x/web, {text}}}]}}"
        );
        let line = oml_lab::contract::Line::parse(&text).unwrap();
        Self::new(&[&line.contracts[0]], tag)
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join(PROGRAM)
    }

    fn command(&self, words: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.program());
        command.args(words).env_clear().envs(env.iter().copied());
        command
    }

    /// Runs a command that ends by itself.
    fn run(&self, words: &[&str], env: &[(&str, &str)]) -> Output {
        self.command(words, env).output().unwrap()
    }

    /// Starts a command that serves, and waits until it listens at this many places.
    fn serve(&self, words: &[&str], env: &[(&str, &str)], places: usize) -> Running {
        let mut child = self.command(words, env).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Running { child, places: Vec::new() };
        assert!(lines.next().unwrap().unwrap().starts_with("a stand-in for "));
        while running.places.len() < places {
            let line = lines.next().expect("it listens everywhere").unwrap();
            let place = line.strip_prefix("listening at ").unwrap_or_else(|| panic!("{line}"));
            running.places.push(place.parse().unwrap());
        }
        running
    }
}

#[cfg(test)]
impl Running {
    fn connect(&self, index: usize) -> TcpStream {
        let stream = TcpStream::connect(self.places[index]).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// Sends a request and returns everything that is answered until the connection ends.
    fn ask(&self, index: usize, request: &str) -> String {
        let mut stream = self.connect(index);
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, index: usize, path: &str) -> String {
        self.ask(index, &format!("GET {path} HTTP/1.1\nHost: localhost\n\n"))
    }

    /// Sends a signal and returns the exit code.
    fn stop(mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        let ended = || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            other => Err(format!("{other:?}")),
        };
        until("the program ends", LIMIT, ended).unwrap()
    }
}

#[cfg(test)]
fn assert_refused(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said:?} does not say {words:?}");
}

#[cfg(test)]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The web application of 2.6 with everything that it needs.
#[cfg(test)]
fn application(tag: &str) -> (Image, BTreeMap<String, String>) {
    let image = "docker.io/omnileads/omlapp";
    let needed = line("2.6").unwrap().contracts.into_iter().find(|it| it.image == image).unwrap();
    let env = needed.reads.required.into_iter().map(|key| (key, "1".to_owned())).collect();
    (Image::of_line("2.6", image, tag), env)
}

#[cfg(test)]
fn borrowed(env: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn an_image_without_a_command_and_an_unknown_command_end_with_127() {
    let (image, env) = application("1");
    assert_refused(&image.run(&[], &borrowed(&env)), 127, "no command specified");
    assert_refused(&image.run(&["serve", "x"], &borrowed(&env)), 127, "serve: not found");
}

#[test]
fn a_missing_or_empty_variable_is_refused_in_the_words_of_the_real_image() {
    let (image, env) = application("1");
    for key in env.keys() {
        for value in [None, Some(String::new())] {
            let mut lacking = env.clone();
            lacking.remove(key);
            lacking.extend(value.map(|value| (key.clone(), value)));
            let refused = image.run(&["/opt/omnileads/bin/init_uwsgi.sh"], &borrowed(&lacking));
            let words = format!("AssertionError: Falta definir setting para {key}\n");
            assert_refused(&refused, 1, &words);
        }
    }
    let image = Image::of_line("2.6", "docker.io/omnileads/callrec_transcriber", "1");
    let env = [("GEARMAN_HOST", "1"), ("S3_BUCKET_NAME", "1"), ("AWS_ACCESS_KEY_ID", "1")];
    assert_refused(&image.run(&[], &env), 1, "Faltan credenciales de S3");
    let own = "ERROR: docker.io/omnileads/callrec_transcriber needs the environment variable S3_";
    assert_refused(&image.run(&[], &env[..1]), 1, own);
}

#[test]
fn a_value_without_its_form_and_a_missing_file_are_refused() {
    let image = Image::of_line("2.6", "docker.io/omnileads/websockets", "1");
    let env = [("BIND_ADDRESS", "127.0.0.1:0"), ("REDIS_HOST", "10.0.0.1")];
    assert_refused(&image.run(&[], &env), 1, "REDIS_HOST must be redis://*");
    let env = [("BIND_ADDRESS", "127.0.0.1"), ("REDIS_HOST", "redis://10.0.0.1")];
    assert_refused(&image.run(&[], &env), 1, "must be ADDRESS:PORT");
    let image = Image::of_text("has_command: true, needs: [/nothing/here.cfg]", "1");
    assert_refused(&image.run(&[], &[]), 1, "x/web needs /nothing/here.cfg");
}

#[test]
fn the_application_listens_at_its_variables_and_ends_with_0() {
    let (image, mut env) = application("2.6.5");
    let at = own_address();
    env.insert("DJANGO_HOSTNAME".to_owned(), at.ip().to_string());
    env.insert("DAPHNE_PORT".to_owned(), at.port().to_string());
    let running = image.serve(&["/opt/omnileads/bin/init_daphne.sh"], &borrowed(&env), 1);
    assert_eq!(running.places, [at]);
    let home = running.get(0, "/");
    assert!(home.starts_with("HTTP/1.1 302 ") && home.contains("Location: /accounts/login/"));
    let login = running.get(0, "/accounts/login/?next=/");
    assert!(login.starts_with("HTTP/1.1 200 ") && login.contains("\"version\":\"2.6.5\""));
    assert!(login.contains("\"stand_in\":true"), "{login}");
    assert!(running.get(0, "/other").starts_with("HTTP/1.1 404 "));
    assert_eq!(running.stop(Signal::SIGTERM), Some(0));
}

#[test]
fn a_port_that_is_in_use_ends_the_program() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let image = Image::of_line("2.6", "docker.io/omnileads/websockets", "1");
    let env = [("BIND_ADDRESS", at.as_str()), ("REDIS_HOST", "redis://10.0.0.1")];
    assert_refused(&image.run(&[], &env), 1, &format!("cannot listen at {at}"));
}

#[test]
fn a_host_that_is_not_allowed_is_refused() {
    let listens =
        "listens: [{at: '127.0.0.1:0', speaks: http, paths: {/: 200}, hosts: '${HOSTS}'}]";
    let image = Image::of_text(&format!("has_command: true, {listens}"), "1");
    let running = image.serve(&[], &[("HOSTS", "a.example,localhost")], 1);
    assert!(running.get(0, "/").starts_with("HTTP/1.1 200 "));
    let other = running.ask(0, "GET / HTTP/1.1\nHost: b.example:8099\n\n");
    assert!(other.starts_with("HTTP/1.1 400 "), "{other}");
}

#[test]
fn a_worker_runs_until_it_is_stopped() {
    let image = Image::of_line("2.6", "docker.io/omnileads/astami", "1");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        assert_eq!(image.serve(&[], &[], 0).stop(signal), Some(0));
    }
}

#[test]
fn a_script_becomes_the_process_that_a_probe_looks_for() {
    let (image, env) = application("1");
    let script = "/opt/omnileads/bin/init_worker_bgtasks.sh";
    let running = image.serve(&[script], &borrowed(&env), 0);
    let shown = fs::read_to_string(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    assert!(shown.contains("runworker"), "{shown:?}");
}

#[test]
fn a_command_that_runs_once_says_what_it_is_and_a_bad_migration_fails_after_two_lines() {
    let migration = ["/opt/omnileads/bin/django_commands.sh"];
    let (image, env) = application("2.6.6");
    let said = printed(&image.run(&migration, &borrowed(&env)));
    assert!(said.contains("pretends to run /opt/omnileads/bin/django_commands.sh"), "{said}");
    let reset = ["python3", "/opt/omnileads/ominicontacto/manage.py", "cambiar_admin_password"];
    assert!(printed(&image.run(&reset, &borrowed(&env))).contains("cambiar_admin_password"));
    let lacking = [("TZ", "UTC")];
    assert_refused(&image.run(&migration, &lacking), 1, "Falta definir setting");
    let (bad, env) = application("2.6.6-bad-migration");
    let failed = bad.run(&migration, &borrowed(&env));
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(String::from_utf8(failed.stdout).unwrap().lines().count(), 2);
}

#[test]
fn a_program_is_known_by_the_name_of_its_link() {
    let image = Image::of_line("2.6", "docker.io/omnileads/dialer_asterisk", "1");
    let link = image.folder.path().join("asterisk");
    symlink(image.program(), &link).unwrap();
    let mut command = Command::new(link);
    command.env_clear().args(["-rx", "core show channels count"]);
    // The contract names it as a shell finds it.
    std::os::unix::process::CommandExt::arg0(&mut command, "asterisk");
    let env = ["TZ", "ASTERISK_USER", "ASTERISK_PASS", "OMLACD_SIP_SERVER"];
    let counted = command.envs(env.map(|key| (key, "1"))).output().unwrap();
    assert!(printed(&counted).starts_with("0 active channels\n"));
}

#[test]
fn gearman_answers_an_administrator() {
    let image =
        Image::of_text("has_command: true, listens: [{at: '127.0.0.1:0', speaks: gearman}]", "1");
    let running = image.serve(&[], &[], 1);
    let mut stream = running.connect(0);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for (command, expected) in [("version\n", "OK 1."), ("status\n", "."), ("other\n", "ERR ")] {
        stream.write_all(command.as_bytes()).unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with(expected), "{command}: {line}");
    }
}

#[test]
fn rabbitmq_offers_to_log_in_and_names_its_protocol_to_others() {
    let image =
        Image::of_text("has_command: true, listens: [{at: '127.0.0.1:0', speaks: amqp}]", "1");
    let running = image.serve(&[], &[], 1);
    let mut stream = running.connect(0);
    stream.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    let mut head = [0; 11];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[..3], [1, 0, 0]);
    assert_eq!(head[7..], [0, 10, 0, 10]);
    let mut rest = vec![0; usize::from(head[6]) - 4 + 1];
    stream.read_exact(&mut rest).unwrap();
    assert_eq!(rest.last(), Some(&0xCE));
    let mut other = running.connect(0);
    other.write_all(b"AMQP\x00\x01\x00\x00").unwrap();
    let mut header = [0; 8];
    other.read_exact(&mut header).unwrap();
    assert_eq!(&header, b"AMQP\x00\x00\x09\x01");
}

const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n\
                       From: <sip:b@c>;tag=1\r\nTo: <sip:a>\r\nCall-ID: 7@c\r\nCSeq: 1 OPTIONS\r\n\
                       Content-Length: 0\r\n\r\n";

#[test]
fn sip_options_are_answered_over_udp_and_tcp() {
    let image = Image::of_text(
        "has_command: true, listens: [{at: '127.0.0.1:0', speaks: sip-udp}, \
         {at: '127.0.0.1:0', speaks: sip-tcp, paths: {}}]",
        "1",
    );
    let running = image.serve(&[], &[], 2);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut buffer = [0; 2048];
    let ack = OPTIONS.replace("OPTIONS sip", "ACK sip");
    for request in [ack.as_str(), OPTIONS] {
        socket.send_to(request.as_bytes(), running.places[0]).unwrap();
    }
    let length = socket.recv(&mut buffer).unwrap();
    assert_answers(&String::from_utf8_lossy(&buffer[..length]), "200 OK");
    let mut stream = running.connect(1);
    let invite = OPTIONS.replace("OPTIONS sip", "INVITE sip");
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for (request, status) in [(OPTIONS, "200 OK"), (invite.as_str(), "501 Not Implemented")] {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            reader.read_line(&mut answer).unwrap();
        }
        assert_answers(&answer, status);
    }
}

#[cfg(test)]
fn assert_answers(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("SIP/2.0 {status}\r\n")), "{answer}");
    for part in ["branch=z9hG4bK1\r\n", "From: <sip:b@c>;tag=1\r\n", "Call-ID: 7@c\r\n", "CSeq: 1 "]
    {
        assert!(answer.contains(part), "{answer} has no {part:?}");
    }
}

#[test]
fn an_object_of_minio_outlives_the_program_and_its_upgrade_and_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let listens =
        "{at: '127.0.0.1:0', speaks: s3, folder: '${@1}', paths: {/minio/health/live: 200}}";
    let text =
        format!("has_command: false, commands: [{{words: [server, '*'], listens: [{listens}]}}]");
    let image = Image::of_text(&text, "RELEASE.2023-09-27T15-22-50Z");
    let running = image.serve(&["server", data], &[], 1);
    assert!(running.get(0, "/minio/health/live").starts_with("HTTP/1.1 200 "));
    assert!(running.ask(0, "PUT /oml HTTP/1.1\n\n").starts_with("HTTP/1.1 200 "));
    let put = running.ask(0, "PUT /oml/a/b.wav HTTP/1.1\nContent-Length: 5\n\nsound");
    assert!(put.starts_with("HTTP/1.1 200 "), "{put}");
    assert_eq!(running.stop(Signal::SIGTERM), Some(0));
    let later = Image::of_text(&text, "RELEASE.2025-04-22T22-12-26Z");
    let earlier = Image::of_text(&text, "RELEASE.2022-05-26T05-48-41Z");
    for image in [&image, &later, &image] {
        let refused = earlier.run(&["server", data], &[]);
        assert_refused(&refused, 1, "expected format-type: fs, found: xl-single");
        let running = image.serve(&["server", data], &[], 1);
        assert!(running.get(0, "/oml/a/b.wav").ends_with("\r\n\r\nsound"));
        assert!(running.get(0, "/oml?list-type=2").contains("<Key>a/b.wav</Key>"));
        assert!(running.get(0, "/oml/a/c.wav").starts_with("HTTP/1.1 404 "));
    }
}

#[test]
fn a_bad_tag_fails_as_its_name_says() {
    let once = Image::of_line("2.6", "docker.io/omnileads/astami", "240101.01-exits-at-once");
    assert_refused(&once.run(&[], &[]), 1, "this version exits at once");
    let image = Image::of_line("2.6", "docker.io/omnileads/websockets", "hangs");
    let at = own_address().to_string();
    let env = [("BIND_ADDRESS", at.as_str()), ("REDIS_HOST", "redis://10.0.0.1")];
    let mut child = image.command(&[], &env).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running { child, places: Vec::new() };
    let is_waiting = |line: &std::io::Result<String>| {
        line.as_ref().is_ok_and(|line| line.contains("this version never answers"))
    };
    assert!(lines.any(|line| is_waiting(&line)));
    assert!(TcpStream::connect(&at).is_err());
    assert_eq!(running.stop(Signal::SIGTERM), Some(0));
}

#[test]
fn a_tag_that_dies_in_its_soak_answers_before() {
    let text = "has_command: true, listens: [{at: '127.0.0.1:0', speaks: http, paths: {/: 200}}]";
    for (tag, code) in [("dies-in-soak", 139), ("exits-after-20s", 3)] {
        let image = Image::of_text(text, tag);
        let mut running = image.serve(&[], &[], 1);
        assert!(running.get(0, "/").starts_with("HTTP/1.1 200 "), "{tag}");
        let ended = || match running.child.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            other => Err(format!("{other:?}")),
        };
        let limit = Duration::from_secs(40);
        assert_eq!(until("the program ends", limit, ended).unwrap(), Some(code), "{tag}");
    }
}
