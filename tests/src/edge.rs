//! Telephones at the Kamailios of a tenant, each of which is found by the variables of its container: those of agents, and
//! those of a carrier's customers.

use anyhow::{Result, ensure};
use oml_lab::{AgentLogin, Browser, Host, SipWay, Telephone};

use crate::Fleet;

/// The ports of the Kamailios, which nothing moves.
const SIP_PORT: u16 = 10060;
const CARRIER_PORT: u16 = 5060;
const LOCALHOST: &str = "127.0.0.1";
const ANOTHER_LOCALHOST: &str = "127.0.0.3";
/// The key of logins where none is given: the images of earlier lines have one in their configuration.
const FIXED_KEY: &str = "a-key-of-the-lab";
const KEY_FILE: &str = "/run/oml-login-key";
/// The number of an agent whom the Asterisk of the lab knows.
pub const AGENT: &str = "1001";
const LOGIN: AgentLogin<'static> = AgentLogin { number: AGENT, key_file: KEY_FILE };

/// The Kamailio of a tenant. Its telephones are on the same host, because it may have only the address 127.0.0.1.
#[derive(Debug)]
pub struct SipEdge<'a> {
    host: &'a Host,
    address: String,
    /// The address of the telephones with UDP, if that from which the host reaches Kamailio is Asterisk's.
    from: Option<&'static str>,
}

impl<'a> SipEdge<'a> {
    /// Finds the Kamailio in a running container of a node, and puts its key of logins into a file there.
    ///
    /// # Errors
    /// The container does not run, or is none of Kamailio.
    pub fn find(fleet: &'a Fleet, node: &str, container: &str) -> Result<Self> {
        let host = fleet.host(node)?;
        let variables = variables(host, container)?;
        let value = |name: &str| variable(&variables, name);
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
        // Kamailio knows Asterisk by its address.
        let from = (value("ASTERISK_HOSTNAME") == LOCALHOST).then_some(ANOTHER_LOCALHOST);
        Ok(Self { host, address, from })
    }

    /// Calls a number of Asterisk over UDP and waits until the call is up.
    ///
    /// # Errors
    /// The call was refused, or not answered in time.
    pub fn call(&self, number: &str) -> Result<Telephone<'a>> {
        Ok(Telephone::call(self.host, self.way(SIP_PORT, None), LOGIN, number)?)
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
        Ok(Telephone::register(self.host, self.way(port, Some(browser)), LOGIN)?)
    }

    fn way<'b>(&'b self, port: u16, browser: Option<Browser<'b>>) -> SipWay<'b> {
        let Self { address, from, .. } = self;
        SipWay { address, port, domain: address, from: *from, browser }
    }
}

/// The Kamailio that takes the calls of carriers. Its host is a carrier itself, if the tenant says so.
#[derive(Debug)]
pub struct CarrierEdge<'a> {
    host: &'a Host,
    address: String,
}

impl<'a> CarrierEdge<'a> {
    /// Finds the Kamailio in a running container of a node.
    ///
    /// # Errors
    /// The container does not run, or is none of the Kamailio of carriers.
    pub fn find(fleet: &'a Fleet, node: &str, container: &str) -> Result<Self> {
        let host = fleet.host(node)?;
        let address = variable(&variables(host, container)?, "IPADDR_PRIVATE").to_owned();
        ensure!(!address.is_empty(), "{container} on {node} has no IPADDR_PRIVATE");
        Ok(Self { host, address })
    }

    /// Calls a number as a carrier's customer does, and waits until the call is up.
    ///
    /// # Errors
    /// The call was refused, or not answered in time.
    pub fn call(&self, number: &str) -> Result<Telephone<'a>> {
        let address = self.address.as_str();
        let way =
            SipWay { address, port: CARRIER_PORT, domain: address, from: None, browser: None };
        Ok(Telephone::call_as(self.host, way, "customer", number)?)
    }
}

/// The variables of a running container, one a line.
fn variables(host: &Host, container: &str) -> Result<String> {
    Ok(host.exec_ok(&["docker", "exec", container, "env"])?)
}

/// The value of a variable; empty without one.
fn variable<'a>(variables: &'a str, name: &str) -> &'a str {
    let mut pairs = variables.lines().filter_map(|line| line.split_once('='));
    pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}
