//! `[server]`, `[admin]` and `[log]`.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::provider::view::PublicUrl;

use super::Check;
use crate::config::resolved::{Admin, Log, Server};
use crate::net::certificate::{Certificate, exposed};
use crate::provider::complaint::did_you_mean;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Check<'_> {
    pub(super) fn server(&mut self) -> Server {
        let written = &self.draft.written.server;
        for (key, zero) in [
            ("max_body", written.max_body.0 == 0),
            ("request_timeout", written.request_timeout.0.is_zero()),
            ("max_connections", written.max_connections == 0),
            ("max_connections_per_address", written.max_connections_per_address == Some(0)),
        ] {
            if zero {
                self.complain(&["server", key], "must be more than nothing");
            }
        }
        if written.proxy_protocol && written.trusted_proxies.is_empty() {
            let message = "needs to know whose headers count: name the proxies in server.trusted_proxies";
            self.complain(&["server", "proxy_protocol"], message);
        }
        let public_url = written.public_url.as_ref();
        let public_url = public_url.and_then(|text| self.public_url(&["server", "public_url"], text));
        Server {
            listen: written.listen,
            public_url,
            max_body: written.max_body.0,
            request_timeout: written.request_timeout.0,
            max_connections: written.max_connections,
            max_connections_per_address: written.max_connections_per_address,
            trusted_proxies: written.trusted_proxies.iter().map(|network| network.0).collect(),
            proxy_protocol: written.proxy_protocol,
            tls: self.certificate().map(Arc::new),
        }
    }

    fn certificate(&mut self) -> Option<Certificate> {
        let written = self.draft.written.server.tls.as_ref()?;
        self.mark(&["server", "tls", "cert"], &written.cert);
        self.mark(&["server", "tls", "key"], &written.key);
        if let Some(message) = exposed(&written.key) {
            self.warn(&["server", "tls", "key"], message);
        }
        let opened = Certificate::open(&written.cert, &written.key);
        opened.map_err(|(which, error)| self.complain(&["server", "tls", which], error.to_string())).ok()
    }

    /// A URL as providers are given it. What was written is not repeated: it may hold a key.
    pub(super) fn public_url(&mut self, key: &[&str], text: &str) -> Option<PublicUrl> {
        match Url::parse(text) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                self.complain(key, "must begin with https:// or http://");
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                self.complain(key, "ends with the path: the query is the provider's");
            }
            Ok(_) => match PublicUrl::parse(text) {
                Ok(url) => return Some(url),
                Err(_) => self.complain(key, "is not a URL such as \"https://hooks.example.com\""),
            },
            Err(error) => self.complain(key, format!("is not a URL such as \"https://hooks.example.com\": {error}")),
        }
        None
    }

    pub(super) fn admin(&mut self) -> Admin {
        let written = &self.draft.written.admin;
        let token = written.token.as_ref().map(|secret| self.secret(&["admin", "token"], secret));
        if token.is_none() && !written.listen.ip().to_canonical().is_loopback() {
            let message = format!(
                "is required because admin.listen is {}, which is more than loopback: add token = {{ env = \
                 \"HOOKPORT_ADMIN_TOKEN\" }} or listen on 127.0.0.1",
                written.listen
            );
            self.missing(&["admin", "token"], message);
        }
        if written.listen == self.draft.written.server.listen && written.listen.port() != 0 {
            self.complain(&["admin", "listen"], "is also server.listen: the admin API needs its own address or port");
        }
        let key = ["admin", "metrics_token"];
        let metrics_token = written.metrics_token.as_ref().and_then(|secret| self.secret(&key, secret));
        let token = token.flatten();
        let both = token.as_ref().zip(metrics_token.as_ref());
        if both.is_some_and(|(token, own)| token.expose_secret() == own.expose_secret()) {
            self.complain(&key, "is the same as admin.token: a collector that has it could do everything");
        }
        Admin { listen: written.listen, token, metrics_token }
    }

    pub(super) fn log(&mut self) -> Log {
        let written = &self.draft.written.log;
        let level = written.level.trim();
        // A lone word that is no level would be taken for a module's name, and everything else would go silent.
        let lone = level.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if lone && !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            let meant = did_you_mean(level, LEVELS);
            self.complain(&["log", "level"], format!("\"{level}\" is none of {}{meant}", super::quoted(LEVELS)));
        } else if let Err(error) = EnvFilter::try_new(level) {
            self.complain(&["log", "level"], format!("is not a level or a list of directives: {error}"));
        }
        Log { level: level.to_owned(), format: written.format }
    }
}
