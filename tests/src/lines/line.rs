//! The lines that are tried, as data.

/// The hosts for data, voice and the application.
const NODES: [&str; 3] = ["acme-data", "acme-voice", "acme-app"];
/// The only host of a site with one.
const ALONE: &str = "acme-one";

/// The number of hosts of a site. With three it has every component of its catalog, with one those of the handbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    One,
    Three,
}

impl Size {
    /// Every size, the smaller one first.
    pub const ALL: [Self; 2] = [Self::One, Self::Three];

    /// Returns how many hosts a site has.
    #[must_use]
    pub fn hosts(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }

    /// Returns the number in words, for names of tests.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::One => "one_host",
            Self::Three => "three_hosts",
        }
    }

    /// Returns the host for data, voice or the application, which are 0, 1 and 2.
    #[must_use]
    pub fn host(self, place: usize) -> &'static str {
        match self {
            Self::One => ALONE,
            Self::Three => NODES[place],
        }
    }
}

/// The side from which the call comes that is held while a site changes.
#[derive(Debug, Clone, Copy)]
pub enum Caller {
    /// An agent, who calls through the Kamailio of browsers.
    Agent,
    /// A carrier, for whose calls there is another Kamailio, in the container with this name on the same host.
    Carrier(&'static str),
}

/// A line of OMniLeads.
#[derive(Debug)]
pub struct Line {
    /// Its name, as in the names of the catalogs' files.
    pub name: &'static str,
    /// The name of its catalog.
    pub catalog: &'static str,
    /// The roles of the hosts for data, voice and the application of a site with three hosts. A site with one host has
    /// them all.
    pub roles: [&'static str; 3],
    /// The settings of the site, besides its name. `EDGE_ADDRESS` is the address of the host with Kamailio.
    pub settings: &'static str,
    /// The further components with their versions, which the handbook calls optional or needed by the dialer.
    pub further: &'static [(&'static str, &'static str)],
    /// The files that somebody writes on the hosts before, as the handbook says.
    pub files: &'static [(&'static str, &'static str)],
    /// The first component of the application, whose page is asked.
    pub application: &'static str,
    /// The container of the Kamailio to which browsers log in.
    pub kamailio: &'static str,
    /// The place of its host in `roles`.
    pub edge: usize,
    /// Whether browsers reach it through the web server too.
    pub is_behind_web: bool,
    pub caller: Caller,
    /// The component that answers calls.
    pub asterisk: &'static str,
    /// A secret of the application and of what it works with, which nothing has that carries a call.
    pub secret: &'static str,
    /// Whether the catalog migrates the database before a new version of the application starts.
    pub migrates: bool,
    /// Whether the catalog gives the certificate of the tenant to its web server.
    pub tls: bool,
}

impl Line {
    /// Returns the hosts of a site of this size, with their roles.
    #[must_use]
    pub fn nodes(&self, size: Size) -> Vec<(&'static str, String)> {
        match size {
            Size::One => vec![(ALONE, self.roles.join(","))],
            Size::Three => NODES.into_iter().zip(self.roles.map(str::to_owned)).collect(),
        }
    }
}

/// Every line, the one that operators run today first.
pub const LINES: [Line; 4] = [
    Line {
        name: "2.6",
        catalog: "omnileads-2-6",
        roles: ["data,qa", "voice", "app,dialer"],
        settings: "",
        further: &[
            ("background-dialer-tasks", "20260824-7aec5d3b"),
            ("dialer-asterisk", "20251125-8aef0813"),
            ("dialer-dialplan", "20251125-8aef0813"),
            ("dialer-listener", "20251125-8aef0813"),
            ("dialer-flask", "20260824-0c0e3e2d"),
            ("dialer-manage-campaign", "20251125-8aef0813"),
            ("dialer-incidence-rules", "20251125-8aef0813"),
            ("dialer-scheduler", "20251125-8aef0813"),
            ("dialer-send-reports", "20251125-8aef0813"),
            ("dialer-render-template", "20251125-8aef0813"),
            ("dialer-manage", "20251125-8aef0813"),
            ("dialer-process-contact-1", "20251125-8aef0813"),
            ("dialer-process-event-1", "20251125-8aef0813"),
            ("dialer-process-campaign-1", "20251125-8aef0813"),
            ("callrec-transcriber", "20251203-7de4a125"),
        ],
        files: &[
            ("/etc/default/promtail.yml", "\n"),
            ("/etc/prometheus/prometheus.yml", "\n"),
            // The folder is there only where the journal is not kept.
            ("/run/log/journal/README", "\n"),
        ],
        application: "omnileads",
        kamailio: "oml-kamailio-server",
        edge: 2,
        is_behind_web: true,
        caller: Caller::Agent,
        asterisk: "asterisk",
        secret: "bucket_secret_key",
        migrates: true,
        tls: true,
    },
    Line {
        name: "2.2",
        catalog: "omnileads-2-2",
        roles: ["data,qa", "voice", "app"],
        settings: "dialer_host: 192.0.2.9",
        further: &[],
        files: &[
            ("/etc/default/rabbitmq.conf", "listeners.tcp.default = ADDRESS:5672\n"),
            ("/etc/default/prometheus.yml", "\n"),
            ("/etc/default/promtail.yml", "\n"),
            // The folder is there only where the journal is not kept.
            ("/run/log/journal/README", "\n"),
        ],
        application: "omnileads",
        kamailio: "oml-kamailio-server",
        edge: 2,
        is_behind_web: true,
        caller: Caller::Agent,
        asterisk: "asterisk",
        secret: "bucket_secret_key",
        migrates: true,
        tls: true,
    },
    Line {
        name: "1.26",
        catalog: "omnileads-1-26",
        // HAProxy has the ports of Redis and of the web server, which are on the two other hosts.
        roles: ["data", "voice,haproxy", "app"],
        settings: "infra_env: lan, minio_console_port: \"9001\"",
        further: &[],
        files: &[
            ("/etc/asterisk/custom/extensions_custom.conf", "\n"),
            ("/etc/default/bootstrap", "\n"),
            ("/etc/default/loki.yml", "\n"),
            ("/etc/default/prometheus.yml", "\n"),
            ("/etc/default/promtail.yml", "\n"),
            ("/etc/omnileads/hap.pem", "\n"),
            ("/etc/omnileads/haproxy.cfg", "\n"),
            ("/var/log/syslog", "\n"),
        ],
        application: "omnileads",
        kamailio: "oml-kamailio-server",
        edge: 2,
        is_behind_web: true,
        caller: Caller::Agent,
        asterisk: "asterisk",
        // Its Asterisk stores the recordings itself, so it has the keys of the bucket.
        secret: "dialer_password",
        migrates: true,
        tls: true,
    },
    Line {
        name: "3",
        catalog: "omnileads-3",
        roles: ["data,stateless,qa", "acd,edge,callrec", "web,workers,dialer"],
        // The host with the Kamailio of carriers is a carrier.
        settings: "kamailio_webrtc_iface: host0, itsp_nodes: EDGE_ADDRESS, kamailio_shm_size: \"64\", \
                   kamailio_pkg_size: \"8\"",
        further: &[],
        files: &[
            ("/etc/default/haproxy.cfg", "\n"),
            ("/etc/default/promtail.yml", "\n"),
            ("/etc/omnileads/omnidialer.sql", "CREATE TABLE campaign (id integer);\n"),
            ("/etc/prometheus/prometheus.yml", "\n"),
            ("/run/log/journal/README", "\n"),
        ],
        application: "omnileads",
        kamailio: "kamailio-webrtc",
        edge: 1,
        // Its web server passes them on with TLS, and to a port without TLS: see docs/omnileads.md.
        is_behind_web: false,
        caller: Caller::Carrier("kamailio-pstn-server"),
        asterisk: "acd-server",
        secret: "bucket_secret_key",
        migrates: true,
        tls: true,
    },
];
