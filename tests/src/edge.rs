//! Telephones of agents at the Kamailio of a tenant, which is found by the variables of its container.

use anyhow::{Result, ensure};
use oml_lab::{AgentLogin, Browser, Host, SipWay, Telephone};

use crate::Fleet;

/// The ports of Kamailio, which nothing moves.
const SIP_PORT: u16 = 10060;
/// The key of logins where none is given: the images of earlier lines have one in their configuration.
const FIXED_KEY: &str = "a-key-of-the-lab";
const KEY_FILE: &str = "/run/oml-login-key";
/// An agent whom the Asterisk of the lab knows.
const AGENT: AgentLogin<'static> = AgentLogin { number: "1001", key_file: KEY_FILE };

/// The Kamailio of a tenant. Its telephones are on the same host, because it may have only the address 127.0.0.1.
#[derive(Debug)]
pub struct SipEdge<'a> {
    host: &'a Host,
    address: String,
    /// Whether Kamailio and Asterisk have the same address, by which Kamailio knows Asterisk. A telephone on their host
    /// needs another one then.
    is_shared: bool,
}

impl<'a> SipEdge<'a> {
    /// Finds the Kamailio in a running container of a node, and puts its key of logins into a file there.
    ///
    /// # Errors
    /// The container does not run, or is none of Kamailio.
    pub fn find(fleet: &'a Fleet, node: &str, container: &str) -> Result<Self> {
        let host = fleet.host(node)?;
        let variables = host.exec_ok(&["docker", "exec", container, "env"])?;
        let value = |name: &str| {
            let mut pairs = variables.lines().filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
        };
        let address = match value("KAMAILIO_HOSTNAME") {
            "0.0.0.0" => host.address().to_string(),
            address => address.to_owned(),
        };
        ensure!(!address.is_empty(), "{container} on {node} has no KAMAILIO_HOSTNAME");
        let key = match value("AUTHEPH_SK") {
            "" => FIXED_KEY,
            key => key,
        };
        host.push(KEY_FILE, key.as_bytes(), 0o600)?;
        let is_shared = value("ASTERISK_HOSTNAME") == address;
        Ok(Self { host, address, is_shared })
    }

    /// Calls a number of Asterisk over UDP and waits until the call is up.
    ///
    /// # Errors
    /// The call was refused, or not answered in time.
    pub fn call(&self, number: &str) -> Result<Telephone<'a>> {
        Ok(Telephone::call(self.host, self.way(SIP_PORT, None), AGENT, number)?)
    }

    /// Connects as a browser does, to 443 through the web server of the same host or to 14443 without it, and waits until
    /// Kamailio has answered.
    ///
    /// # Errors
    /// The certificate is not the expected one, or the WebSocket was refused.
    pub fn connect(&self, port: u16, browser: Browser<'_>) -> Result<Telephone<'a>> {
        Ok(Telephone::connect(self.host, self.way(port, Some(browser)))?)
    }

    /// Logs an agent in as a browser does and waits until Kamailio knows where the agent is.
    ///
    /// # Errors
    /// The certificate is not the expected one, or the WebSocket or the login was refused.
    pub fn log_in(&self, port: u16, browser: Browser<'_>) -> Result<Telephone<'a>> {
        Ok(Telephone::register(self.host, self.way(port, Some(browser)), AGENT)?)
    }

    fn way<'b>(&'b self, port: u16, browser: Option<Browser<'b>>) -> SipWay<'b> {
        let from = self.is_shared.then_some("127.0.0.1");
        SipWay { address: &self.address, port, domain: &self.address, from, browser }
    }
}
