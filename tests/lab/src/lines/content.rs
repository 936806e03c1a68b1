//! Which of the lab's programs are in the image of a contract. The first part is data.

use std::collections::BTreeSet;

use crate::contract::Runs;
use crate::error::{LabError, Result};
use crate::images::{ALL, ASTERISK_FILES, Base, Image};
use crate::recipes::{ASTERISK, KAMAILIO, NGINX, POSTGRES, REDIS};

macro_rules! image_file {
    ($path:literal) => {
        include_str!(concat!("../../images/", $path))
    };
}

macro_rules! start_of {
    ($name:literal, $base:expr, $files:expr) => {
        Image {
            name: concat!("lines/", $name),
            base: $base,
            start: include_str!(concat!("../../images/lines/", $name, "/start.sh")),
            files: $files,
            volumes: &[],
            good: &[],
            has_bad: false,
        }
    };
}

const NGINX_FILES: &[(&str, &str)] = &[("etc/nginx/nginx.conf", image_file!("nginx/nginx.conf"))];
/// The files of the image of 3.X, whose entry points are behind the script that makes bad tags misbehave.
const KAMAILIO_FILES: &[(&str, &str)] = &[
    ("entrypoint_webrtc.sh", "#!/bin/sh\nexec /oml/entry webrtc\n"),
    ("entrypoint_pstn.sh", "#!/bin/sh\nexec /oml/entry pstn\n"),
    ("oml/webrtc", image_file!("lines/kamailio-3/webrtc.sh")),
    ("oml/pstn", image_file!("lines/kamailio-3/pstn.sh")),
    ("etc/kamailio/kamailio_webrtc.cfg", image_file!("kamailio/kamailio.cfg")),
    ("etc/kamailio/kamailio_pstn.cfg", image_file!("lines/kamailio-3/pstn.cfg")),
];
/// The programs of docker-library's image that a command of a catalog calls by their names.
const POSTGRES_FILES: &[(&str, &str)] = &[
    ("usr/local/bin/docker-entrypoint.sh", "#!/bin/sh\nexec /oml/start \"$@\"\n"),
    ("usr/local/bin/postgres", "#!/bin/sh\nexec /usr/lib/postgresql/*/bin/postgres \"$@\"\n"),
    ("usr/local/bin/gosu", image_file!("lines/postgres/gosu.sh")),
];
const POSTGRES_OF_LINES: Image = start_of!("postgres", Base::Bookworm(POSTGRES), POSTGRES_FILES);
const REDISGEARS: Image = start_of!("redisgears", Base::Bookworm(REDIS), &[]);
const NGINX_1_26: Image = start_of!("nginx-1.26", Base::Bookworm(NGINX), NGINX_FILES);
const NGINX_2_2: Image = start_of!("nginx-2.2", Base::Bookworm(NGINX), NGINX_FILES);
const ASTERISK_1_26: Image = start_of!("asterisk-1.26", Base::OwnSystem(ASTERISK), ASTERISK_FILES);
const ASTERISK_2_2: Image = start_of!("asterisk-2.2", Base::OwnSystem(ASTERISK), ASTERISK_FILES);
const ASTERISK_3: Image = start_of!("asterisk-3", Base::OwnSystem(ASTERISK), ASTERISK_FILES);
const KAMAILIO_3: Image = start_of!("kamailio-3", Base::Bookworm(KAMAILIO), KAMAILIO_FILES);

/// What is in the image of a contract.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// A real program. Its lower layers are in the image of the lab with this name already.
    Real {
        image: &'static Image,
        below: &'static str,
        stop_signal: Option<&'static str>,
    },
    StandIn,
    /// A real program, and stand-ins for the other ones of the image.
    Both {
        image: &'static Image,
        below: &'static str,
    },
}

/// Returns what is in an image whose contracts say that it runs these programs; none if no image has all of them.
pub(super) fn content(runs: &BTreeSet<Runs>) -> Result<Option<Content>> {
    let runs: Vec<Runs> = runs.iter().copied().collect();
    match runs.as_slice() {
        [one] => program(*one).map(Some),
        [Runs::Asterisk3, Runs::StandIn] => {
            Ok(Some(Content::Both { image: &ASTERISK_3, below: "asterisk" }))
        }
        [..] => Ok(None),
    }
}

fn program(runs: Runs) -> Result<Content> {
    let of_lab = |name: &'static str| -> Result<Content> {
        let image = ALL.iter().find(|image| image.name == name);
        let image = image.ok_or_else(|| LabError::Invalid(format!("the lab has no {name}")))?;
        Ok(Content::Real { image, below: name, stop_signal: None })
    };
    let of_lines = |image: &'static Image, below| Content::Real { image, below, stop_signal: None };
    Ok(match runs {
        Runs::Asterisk => of_lab("asterisk")?,
        Runs::Kamailio => of_lab("kamailio")?,
        Runs::Nginx => of_lab("nginx")?,
        Runs::Rtpengine => of_lab("rtpengine")?,
        Runs::Redis => of_lab("redis")?,
        Runs::Redisgears => of_lines(&REDISGEARS, "redis"),
        Runs::Asterisk126 => of_lines(&ASTERISK_1_26, "asterisk"),
        Runs::Asterisk22 => of_lines(&ASTERISK_2_2, "asterisk"),
        Runs::Asterisk3 => of_lines(&ASTERISK_3, "asterisk"),
        Runs::Kamailio3 => of_lines(&KAMAILIO_3, "kamailio"),
        Runs::Nginx126 => of_lines(&NGINX_1_26, "nginx"),
        Runs::Nginx22 => of_lines(&NGINX_2_2, "nginx"),
        Runs::Postgres => Content::Real {
            image: &POSTGRES_OF_LINES,
            below: "postgres",
            stop_signal: Some("SIGINT"),
        },
        Runs::StandIn => Content::StandIn,
    })
}
