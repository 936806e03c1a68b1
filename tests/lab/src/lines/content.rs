//! Which of the lab's programs is in the image of a contract. The first part is data.

use crate::contract::Runs;
use crate::error::{LabError, Result};
use crate::images::{ALL, ASTERISK_FILES, Base, Image};
use crate::recipes::{ASTERISK, NGINX, POSTGRES, REDIS};

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

const NGINX_FILES: &[(&str, &str)] =
    &[("etc/nginx/nginx.conf", include_str!("../../images/nginx/nginx.conf"))];
const POSTGRES_OF_LINES: Image = start_of!("postgres", Base::Bookworm(POSTGRES), &[]);
const REDISGEARS: Image = start_of!("redisgears", Base::Bookworm(REDIS), &[]);
const NGINX_1_26: Image = start_of!("nginx-1.26", Base::Bookworm(NGINX), NGINX_FILES);
const NGINX_2_2: Image = start_of!("nginx-2.2", Base::Bookworm(NGINX), NGINX_FILES);
const ASTERISK_1_26: Image = start_of!("asterisk-1.26", Base::OwnSystem(ASTERISK), ASTERISK_FILES);
const ASTERISK_2_2: Image = start_of!("asterisk-2.2", Base::OwnSystem(ASTERISK), ASTERISK_FILES);

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
}

/// Returns what is in the image of a contract that says which program it runs.
pub(super) fn content(runs: Runs) -> Result<Content> {
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
