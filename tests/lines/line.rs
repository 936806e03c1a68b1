//! The lines that are tried, as data.

/// A line of OMniLeads.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its name, as in the names of the catalogs' files.
    pub(crate) name: &'static str,
    /// The name of its catalog.
    pub(crate) catalog: &'static str,
    /// The roles of the hosts for data, voice and the application of a site with three hosts. A site with one host has
    /// them all.
    pub(crate) roles: [&'static str; 3],
    /// The settings of the site, besides its names and addresses.
    pub(crate) settings: &'static str,
    /// The further components with their versions, which the handbook calls optional or needed by the dialer.
    pub(crate) further: &'static [(&'static str, &'static str)],
    /// The files that somebody writes on the hosts before, as the handbook says.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The first component of the application, whose page is asked.
    pub(crate) application: &'static str,
    /// The container of Kamailio for browsers; none if the lab has no image of it that does more than answer OPTIONS.
    pub(crate) kamailio: Option<&'static str>,
    /// The component that answers calls; none if the lab has no image of it that carries calls.
    pub(crate) asterisk: Option<&'static str>,
    /// A secret of the application and of what it works with, which nothing has that carries a call.
    pub(crate) secret: &'static str,
    /// Whether the catalog migrates the database before a new version of the application starts.
    pub(crate) migrates: bool,
    /// Whether the catalog gives the certificate of the tenant to its web server.
    pub(crate) tls: bool,
}

pub(crate) const LINES: [Line; 4] = [
    Line {
        name: "2.6",
        catalog: "omnileads-2-6",
        roles: ["data", "voice", "app,dialer"],
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
        files: &[],
        application: "omnileads",
        kamailio: Some("oml-kamailio-server"),
        asterisk: Some("asterisk"),
        secret: "bucket_secret_key",
        migrates: true,
        tls: true,
    },
    Line {
        name: "2.2",
        catalog: "omnileads-2-2",
        roles: ["data", "voice", "app"],
        settings: "dialer_host: 192.0.2.9",
        further: &[],
        files: &[("/etc/default/rabbitmq.conf", "listeners.tcp.default = ADDRESS:5672\n")],
        application: "omnileads",
        kamailio: Some("oml-kamailio-server"),
        asterisk: Some("asterisk"),
        secret: "bucket_secret_key",
        migrates: true,
        tls: true,
    },
    Line {
        name: "1.26",
        catalog: "omnileads-1-26",
        roles: ["data", "voice", "app"],
        settings: "infra_env: lan, minio_console_port: \"9001\"",
        further: &[],
        files: &[("/etc/asterisk/custom/extensions_custom.conf", "\n")],
        application: "omnileads",
        kamailio: Some("oml-kamailio-server"),
        asterisk: Some("asterisk"),
        // Its Asterisk stores the recordings itself, so it has the keys of the bucket.
        secret: "dialer_password",
        migrates: true,
        tls: true,
    },
    Line {
        name: "3",
        catalog: "omnileads-3",
        roles: ["data,stateless", "acd,edge,callrec", "web,workers,dialer"],
        settings: "kamailio_webrtc_iface: host0, itsp_nodes: 192.0.2.20",
        further: &[],
        files: &[("/etc/omnileads/omnidialer.sql", "CREATE TABLE campaign (id integer);\n")],
        application: "omnileads",
        kamailio: None,
        asterisk: None,
        secret: "bucket_secret_key",
        migrates: true,
        tls: true,
    },
];
