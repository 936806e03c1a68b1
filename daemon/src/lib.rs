//! The parts that both daemons share: mutual TLS, the server of a few HTTP pages, their
//! metrics, the log, the loader of settings and of those of registries, proxies, failpoints, files that people can replace, the
//! files of catalogs, core dumps that are not made, and the environment as a value.
//!
//! This crate decides nothing about tenants, and it knows neither the wire nor a store.
//! `omlctl` uses only the client side of [`tls`], [`mod@catalog_files`], [`mod@core_dumps`] and
//! [`mod@env`].

pub mod catalog_files;
pub mod core_dumps;
pub mod env;
pub mod failpoint;
pub mod http;
pub mod log;
pub mod metrics;
pub mod proxy;
pub mod registries;
pub mod regular_file;
pub mod settings;
pub mod tls;
