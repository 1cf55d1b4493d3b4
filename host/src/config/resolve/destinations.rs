//! `[destinations.NAME]`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use url::{Host, Url};

use super::{Check, NAME_RULE, is_name};
use crate::config::resolved::{self, Destination, Http, LONGEST_WAIT, Order};
use crate::config::units::Span;
use crate::config::written::{self, OnExhausted};
use crate::net::address::is_public;

impl Check<'_> {
    pub(super) fn destinations(&mut self) -> BTreeMap<String, Destination> {
        let mut resolved = BTreeMap::new();
        for (name, written) in &self.draft.written.destinations {
            if !is_name(name) {
                self.complain(&["destinations", name], NAME_RULE);
            }
            self.order(name, written);
            let destination = match written {
                written::Destination::Http(http) => self.http(name, http).map(Box::new).map(Destination::Http),
                written::Destination::File(file) => {
                    if file.path.as_os_str().is_empty() || file.path.is_dir() {
                        self.complain(&["destinations", name, "path"], "must be a file, such as \"data/events.jsonl\"");
                    }
                    self.retry(name, &file.retry);
                    Destination::of(written, Vec::new()).ok()
                }
                written::Destination::Stdout(_) => Destination::of(written, Vec::new()).ok(),
                broker => self.broker(name, broker).map(Box::new).map(Destination::Broker),
            };
            resolved.extend(destination.map(|destination| (name.clone(), destination)));
        }
        resolved
    }

    fn http(&mut self, name: &str, written: &written::HttpDestination) -> Option<Http> {
        let url = self.destination_url(name, written);
        let signing_secrets = self.secrets(&["destinations", name, "signing_secret"], &written.signing_secret);
        let headers = self.headers(name, &written.headers, url.as_ref());
        self.transform(name, written.transform.is_some(), written.format);
        self.timeouts(name, [written.connect_timeout, written.first_byte_timeout], written.timeout);
        let in_the_clear = url.as_ref().filter(|url| url.scheme() == "http");
        let in_the_clear = in_the_clear.map(|_| "has no meaning with http://: write https:// in `url`");
        self.tls(name, written.ca.as_ref(), written.client_cert.as_ref(), in_the_clear);
        if written.concurrency == 0 {
            self.complain(&["destinations", name, "concurrency"], "must be at least 1");
        }
        self.breaker(name, written.breaker);
        self.retry(name, &written.retry);
        Some(Http {
            url: url?,
            allow_private: written.allow_private,
            format: written.format,
            transform: written.transform.clone(),
            signing_secrets,
            ca: written.ca.clone(),
            client_cert: written.client_cert.clone(),
            headers,
            connect_timeout: Http::connect_timeout(written),
            first_byte_timeout: written.first_byte_timeout.map(|span| span.0),
            timeout: written.timeout.0,
            concurrency: written.concurrency,
            rate: written.rate.map(|rate| rate.0),
            breaker: resolved::Breaker::of(written.breaker),
            retry: resolved::Retry::of(&written.retry),
            order: Order::of(written.order_by.as_deref(), written.on_exhausted),
        })
    }

    pub(super) fn transform(&mut self, name: &str, is_there: bool, format: written::Format) {
        if is_there && format == written::Format::Raw {
            let message =
                "is a filter over JSON, and raw sends the provider's own bytes: choose \"cloudevent\" or \"data\"";
            self.complain(&["destinations", name, "transform"], message);
        }
    }

    /// For the connection and the first byte, within the whole.
    pub(super) fn timeouts(&mut self, name: &str, [connect, first_byte]: [Option<Span>; 2], whole: Span) {
        for (key, span) in [("connect_timeout", connect), ("first_byte_timeout", first_byte), ("timeout", Some(whole))]
        {
            let Some(span) = span else { continue };
            if span.0.is_zero() {
                self.complain(&["destinations", name, key], "must be more than nothing, such as \"10s\"");
            } else if span > whole {
                self.complain(
                    &["destinations", name, key],
                    "must not be longer than `timeout`, which counts for the whole",
                );
            }
        }
    }

    /// What the files hold is looked at when the destination is made ready.
    pub(super) fn tls(
        &mut self,
        name: &str,
        ca: Option<&PathBuf>,
        client_cert: Option<&written::ClientCert>,
        in_the_clear: Option<&str>,
    ) {
        for (key, is_there) in [("ca", ca.is_some()), ("client_cert", client_cert.is_some())] {
            if let Some(message) = in_the_clear.filter(|_| is_there) {
                self.complain(&["destinations", name, key], message);
            }
        }
        if let Some(ca) = ca {
            self.mark(&["destinations", name, "ca"], ca);
        }
        let Some(cert) = client_cert else { return };
        self.mark(&["destinations", name, "client_cert", "cert"], &cert.cert);
        self.mark(&["destinations", name, "client_cert", "key"], &cert.key);
        let mode = std::fs::metadata(&cert.key).map_or(0, |found| found.permissions().mode() & 0o777);
        if mode & 0o027 != 0 {
            let message = format!("is open to others (mode {mode:04o}): chmod 600 {}", cert.key.display());
            self.warn(&["destinations", name, "client_cert", "key"], message);
        }
    }

    fn order(&mut self, name: &str, written: &written::Destination) {
        let (by, on_exhausted) = written.order();
        if let Some(Err(message)) = by.as_deref().map(self.rules.compile) {
            self.complain(&["destinations", name, "order_by"], format!("is not a CEL expression: {message}"));
        }
        if by.is_none() && on_exhausted == OnExhausted::Hold {
            let message =
                "holds the key of an exhausted delivery, and there are no keys: say order_by, or leave it out";
            self.complain(&["destinations", name, "on_exhausted"], message);
        }
    }

    /// What was written is not repeated: a URL may hold a key.
    fn destination_url(&mut self, name: &str, written: &written::HttpDestination) -> Option<Url> {
        let key = ["destinations", name, "url"];
        let url = match Url::parse(&written.url) {
            Ok(url) => url,
            Err(error) => {
                self.complain(&key, format!("is not a URL such as \"https://crm.example.com/hooks\": {error}"));
                return None;
            }
        };
        if matches!(url.scheme(), "http" | "https") {
            self.reach(&key, &url, written.allow_private, "events travel");
        } else {
            self.complain(&key, "must begin with https:// or http://");
        }
        Some(url)
    }

    /// Whether the gateway may go there at all, and does so unseen.
    pub(super) fn reach(&mut self, key: &[&str], url: &Url, allow_private: bool, what: &str) {
        if !allow_private && is_private(url) {
            let message = "is a private, loopback or link-local address: if that is meant, add allow_private = true";
            self.complain(key, message);
        } else if url.scheme() == "http" && !allow_private {
            self.warn(key, format!("{what} unencrypted to a public host: use https:// where it offers it"));
        }
    }

    pub(super) fn breaker(&mut self, name: &str, breaker: written::Breaker) {
        let mut complain = |key, message| self.complain(&["destinations", name, "breaker", key], message);
        if breaker.pause.0.is_zero() {
            complain("pause", "must be more than nothing, such as \"30s\" (failures = 0 turns the breaker off)");
        }
        if breaker.max_pause < breaker.pause {
            complain("max_pause", "must not be shorter than `pause`");
        }
    }

    pub(super) fn retry(&mut self, name: &str, retry: &written::Retry) {
        let mut complain = |key, message| self.complain(&["destinations", name, "retry", key], message);
        if retry.attempts == Some(0) {
            complain("attempts", "must be at least 1");
        }
        if retry.jitter.is_some_and(|jitter| !(0.0..=1.0).contains(&jitter)) {
            complain("jitter", "must be a share from 0.0 to 1.0");
        }
        if retry.deadline.is_some_and(|deadline| deadline.0.is_zero()) {
            complain("deadline", "must be more than nothing, such as \"3d\"");
        }
        if let Some(waits) = &retry.waits {
            if waits.is_empty() {
                complain("waits", "is empty: list the waits, such as [\"5s\", \"1m\"], or leave it out");
            }
            if waits.iter().any(|wait| wait.0.is_zero() || wait.0 > LONGEST_WAIT) {
                complain("waits", "must be more than nothing and at most 24h each");
            }
            if retry.first.is_some() || retry.factor.is_some() || retry.max.is_some() {
                complain("waits", "says every wait: leave out `first`, `factor` and `max`");
            }
            return;
        }
        if retry.factor.is_some_and(|factor| !(1.0..=1000.0).contains(&factor)) {
            complain("factor", "must be from 1.0 to 1000.0");
        }
        let resolved::Waits::Growing { first, max, .. } = resolved::Retry::of(retry).waits else { return };
        if first.is_zero() {
            complain("first", "must be more than nothing, such as \"5s\"");
        }
        if max < first {
            complain("max", "must not be shorter than `first`");
        }
        if max > LONGEST_WAIT {
            complain("max", "must be at most 24h");
        }
    }
}

/// Whether the URL itself names a private place; what a name resolves to is judged at every connection.
pub(super) fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => !is_public(address.into()),
        Some(Host::Ipv6(address)) => !is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => true,
    }
}
