//! A telephone on a host: it logs in at Kamailio as an agent, calls a number and stays, and says what it sees. The program
//! is `telephone/agent.py`, which runs with the Python of the host.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{LabError, Result};
use crate::host::{Host, HostProcess};
use crate::wait::until;

const PROGRAM: &str = include_str!("telephone/agent.py");
/// The longest time until a telephone is up, or until it has ended. Its own limit for an answer is 15 s.
const LIMIT: Duration = Duration::from_secs(60);

/// Counts the telephones of this process, so that each has files of its own.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The way on which a telephone reaches Kamailio.
#[derive(Debug, Clone, Copy)]
pub struct SipWay<'a> {
    /// The address of Kamailio, or of the web server in front of it.
    pub address: &'a str,
    pub port: u16,
    /// The name that Kamailio has for itself, which is `KAMAILIO_HOSTNAME`.
    pub domain: &'a str,
    /// The address of the telephone itself with UDP; without one, that from which the host reaches Kamailio.
    pub from: Option<&'a str>,
    /// WebSocket with TLS, as browsers do; otherwise UDP.
    pub browser: Option<Browser<'a>>,
}

/// The name and the authority that a browser checks, and the path that it asks for.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    /// The name that the certificate must be for.
    pub name: &'a str,
    /// A file on the host with the authority that must have signed it.
    pub authority: &'a str,
    /// The path of the WebSocket.
    pub path: &'a str,
}

/// The number of an agent and the key of its login.
#[derive(Debug, Clone, Copy)]
pub struct AgentLogin<'a> {
    /// The agent's number at Asterisk.
    pub number: &'a str,
    /// A file on the host with the key of logins, which Kamailio has as `AUTHEPH_SK`.
    pub key_file: &'a str,
}

/// The state of a telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TelephoneState {
    Starting,
    /// The call is up, or the agent is logged in, or connected.
    Up,
    /// It was ended from here.
    Ended,
    /// It could not begin, or the other side ended it.
    Failed,
}

/// A telephone's own report, which is at most a fifth of a second old.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TelephoneReport {
    pid: u32,
    pub state: TelephoneState,
    /// Packets of media, 50 of which are sent in a second.
    pub sent: u64,
    pub received: u64,
    /// The longest time without a packet of media since the first one came.
    pub longest_gap_ms: u64,
    /// The calls that came for an agent who is logged in; the telephone is busy for all of them.
    #[serde(default)]
    pub calls: u64,
    /// The SHA-256 of the certificate that a browser got, in hexadecimal digits.
    #[serde(default)]
    pub certificate: String,
    /// The address and port where the other side wants its media.
    #[serde(default)]
    pub media: String,
    /// The reason of a failure, in words for people.
    #[serde(default)]
    pub why: String,
}

/// A telephone that is up. Dropping the value ends it.
#[derive(Debug)]
pub struct Telephone<'a> {
    host: &'a Host,
    process: HostProcess,
    status: String,
    is_over: bool,
}

impl<'a> Telephone<'a> {
    /// Calls a number and waits until the call is up. Media go in both directions for a number that sends its own.
    ///
    /// # Errors
    /// The call was refused, or not answered in time.
    pub fn call(
        host: &'a Host,
        way: SipWay<'_>,
        agent: AgentLogin<'_>,
        number: &str,
    ) -> Result<Self> {
        let mut asked = asked("call", way);
        asked["agent"] = json!(agent.number);
        asked["key_file"] = json!(agent.key_file);
        asked["number"] = json!(number);
        Self::start(host, asked)
    }

    /// Calls a number as somebody who is no agent and has no login, and waits until the call is up.
    ///
    /// # Errors
    /// The call was refused, or not answered in time.
    pub fn call_as(host: &'a Host, way: SipWay<'_>, caller: &str, number: &str) -> Result<Self> {
        let mut asked = asked("call", way);
        asked["caller"] = json!(caller);
        asked["number"] = json!(number);
        Self::start(host, asked)
    }

    /// Logs an agent in and waits until Kamailio knows where the agent is.
    ///
    /// # Errors
    /// The login was refused, or not answered in time.
    pub fn register(host: &'a Host, way: SipWay<'_>, agent: AgentLogin<'_>) -> Result<Self> {
        let mut asked = asked("register", way);
        asked["agent"] = json!(agent.number);
        asked["key_file"] = json!(agent.key_file);
        Self::start(host, asked)
    }

    /// Connects without a login and waits until OPTIONS is answered. Of a browser this is the handshake of its WebSocket
    /// with the subprotocol `sip` and a question and an answer in it.
    ///
    /// # Errors
    /// The certificate is not the expected one, or the handshake or the question was not answered well.
    pub fn connect(host: &'a Host, way: SipWay<'_>) -> Result<Self> {
        Self::start(host, asked("connect", way))
    }

    fn start(host: &'a Host, mut asked: Value) -> Result<Self> {
        let (mine, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("/run/oml-telephone-{mine}-{count}");
        let (program, status) = (format!("{name}.py"), format!("{name}.json"));
        host.push(&program, PROGRAM.as_bytes(), 0o644)?;
        asked["status"] = json!(status);
        let process = host.spawn(&["python3", &program, &asked.to_string()])?;
        let mut telephone = Self { host, process, status, is_over: false };
        let what = format!("the telephone on {} is up", host.name());
        let seen = until(&what, LIMIT, || match telephone.seen() {
            Ok(seen) if seen.state != TelephoneState::Starting => Ok(seen),
            Ok(_) => Err("it has not been answered yet".to_owned()),
            Err(error) => Err(error.to_string()),
        })?;
        if seen.state == TelephoneState::Up {
            return Ok(telephone);
        }
        telephone.is_over = true;
        Err(LabError::Invalid(format!("the telephone on {}: {}", host.name(), seen.why)))
    }

    /// Returns what the telephone has seen.
    ///
    /// # Errors
    /// The host could not be asked.
    pub fn seen(&self) -> Result<TelephoneReport> {
        let text = self.host.read(&self.status)?;
        serde_json::from_str(&text)
            .map_err(|error| LabError::Invalid(format!("{}: {error}: {text}", self.status)))
    }

    /// Returns true while the other side has not ended the call or the connection.
    ///
    /// # Errors
    /// The program's end could not be read.
    pub fn is_up(&mut self) -> Result<bool> {
        let ended = self.process.exit_code().map_err(LabError::io("wait for", &self.status))?;
        Ok(ended.is_none())
    }

    /// Waits until that many more packets of media have come, and returns what was seen then.
    ///
    /// # Errors
    /// They did not come in time, or the call ended.
    pub fn hear(&self, packets: u64) -> Result<TelephoneReport> {
        let before = self.seen()?.received;
        until("packets of media come", LIMIT, || {
            let seen = self.seen().map_err(|error| error.to_string())?;
            let heard = seen.received.saturating_sub(before);
            if heard >= packets { Ok(seen) } else { Err(format!("{heard} have come: {seen:?}")) }
        })
    }

    /// Ends the call or the connection and returns what was seen until then.
    ///
    /// # Errors
    /// The other side had ended it before, or did not confirm the end.
    pub fn end(mut self) -> Result<TelephoneReport> {
        self.request_end()?;
        let what = format!("the telephone on {} ends", self.host.name());
        let code = until(&what, LIMIT, || match self.process.exit_code() {
            Ok(Some(code)) => Ok(code),
            Ok(None) => Err("it is up".to_owned()),
            Err(error) => Err(error.to_string()),
        })?;
        let seen = self.seen()?;
        if code == 0 && seen.state == TelephoneState::Ended {
            return Ok(seen);
        }
        Err(LabError::Invalid(format!("the telephone on {}: {}", self.host.name(), seen.why)))
    }

    fn request_end(&mut self) -> Result<()> {
        self.is_over = true;
        let pid = self.seen()?.pid.to_string();
        // One that has ended already says by itself why.
        self.host.exec(&["kill", "-TERM", &pid]).map(drop)
    }
}

impl Drop for Telephone<'_> {
    fn drop(&mut self) {
        if self.is_over || !matches!(self.is_up(), Ok(true)) {
            return;
        }
        let ended = self.request_end().and_then(|()| {
            until("the telephone ends", LIMIT, || match self.is_up() {
                Ok(false) => Ok(()),
                Ok(true) => Err("it is up".to_owned()),
                Err(error) => Err(error.to_string()),
            })
        });
        if let Err(error) = ended {
            crate::progress::log(&format!("a call may still be up: {error}"));
        }
    }
}

/// Returns the program's argument.
fn asked(does: &str, way: SipWay<'_>) -> Value {
    let SipWay { address, port, domain, from, browser } = way;
    let mut asked = json!({"do": does, "address": address, "port": port, "domain": domain});
    if let Some(from) = from {
        asked["from"] = json!(from);
    }
    if let Some(Browser { name, authority, path }) = browser {
        asked["name"] = json!(name);
        asked["authority"] = json!(authority);
        asked["path"] = json!(path);
    }
    asked
}
