//! The client of a running gateway's admin API: where it is, the token, and what its failures mean.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;
use url::{Host, Url};

use super::configuration::Configuration;
use super::{Failure, output};
use crate::net;
use crate::provider::complaint::Complaint;

/// Longer than a `tail` waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page of a thousand large events fits.
const MOST: usize = 1 << 30;

/// Where the gateway is, and how we may ask it.
#[derive(Args, Clone)]
pub(super) struct Connection {
    /// The gateway's admin API [default: admin.listen of the configuration, else http://127.0.0.1:8081]
    #[arg(long, value_name = "URL", global = true)]
    admin: Option<Url>,

    /// The admin token [default: admin.token of the configuration]; better given as a variable than as an argument
    #[arg(long, value_name = "TOKEN", env = "HOOKPORT_ADMIN_TOKEN", hide_env_values = true, global = true)]
    token: Option<SecretString>,

    #[command(flatten)]
    configuration: Configuration,
}

/// A gateway that can be asked.
pub(super) struct Client {
    base: Url,
    token: Option<SecretString>,
    net: net::Client,
    runtime: Runtime,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// Nobody is there now; somebody may be later.
    Away(String),
    /// The gateway says no.
    Refused(String),
    /// The gateway says what is wrong with its configuration: in words, and as its document.
    Wrong(String, Bytes),
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Away(message) | Unanswered::Refused(message) | Unanswered::Wrong(message, _) => {
                Self::Refused(message)
            }
        }
    }
}

impl Connection {
    /// Which configuration it goes by.
    pub(super) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Whether a gateway is named, and not only where its configuration is.
    pub(super) fn is_named(&self) -> bool {
        self.admin.is_some()
    }

    pub(super) fn open(self) -> Result<Client, Failure> {
        let (base, configured) = match self.admin {
            // The configuration's token is for the configuration's own gateway.
            Some(url) => (url, None),
            None => configured(&self.configuration)?,
        };
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Failure::unusable("--admin must begin with http:// or https://"));
        }
        let token = self.token.filter(|token| !token.expose_secret().is_empty()).or(configured);
        if token.is_some() && base.scheme() == "http" && !is_loopback(&base) {
            output::say("the admin token travels unencrypted: use https:// or a tunnel");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::refused)?;
        Ok(Client { base, token, net: net::Client::new(true), runtime })
    }
}

/// The address and token that the configuration names.
fn configured(configuration: &Configuration) -> Result<(Url, Option<SecretString>), Failure> {
    let Some(draft) = configuration.load_if_there()? else {
        return Ok((url_of("127.0.0.1:8081"), None));
    };
    let mut listen = draft.written.admin.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok((url_of(&listen.to_string()), draft.admin_token()))
}

fn url_of(address: &str) -> Url {
    Url::parse(&format!("http://{address}")).expect("a socket address makes a URL")
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Client {
    /// Asks for a path below the API, with a filter's fields as parameters.
    pub(super) fn get(&self, path: &str, filter: &impl Serialize) -> Result<Bytes, Unanswered> {
        let mut url = self.url(path);
        let parameters = parameters(filter);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        self.send(Request::builder().method(Method::GET).uri(url.as_str()), Bytes::new())
    }

    /// As [`Client::get`]; prints the document where a program wants it, and gives it back where people do.
    pub(super) fn show(&self, path: &str, filter: &impl Serialize, json: bool) -> Result<Option<Bytes>, Failure> {
        let answer = self.get(path, filter)?;
        if json {
            output::line(String::from_utf8_lossy(&answer))?;
            return Ok(None);
        }
        Ok(Some(answer))
    }

    /// Sends a document.
    pub(super) fn post(&self, path: &str, document: &impl Serialize) -> Result<Bytes, Unanswered> {
        self.post_to(path, &[], document)
    }

    /// Sends a document, with parameters.
    pub(super) fn post_to(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        document: &impl Serialize,
    ) -> Result<Bytes, Unanswered> {
        let body = serde_json::to_vec(document).map_err(|error| Unanswered::Refused(error.to_string()))?;
        let mut url = self.url(path);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = Request::builder().method(Method::POST).uri(url.as_str());
        self.send(request.header(CONTENT_TYPE, "application/json"), body.into())
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(None);
        url
    }

    fn send(&self, mut request: hyper::http::request::Builder, body: Bytes) -> Result<Bytes, Unanswered> {
        if let Some(token) = &self.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| Unanswered::Refused("the admin token is no header text".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| Unanswered::Refused(error.to_string()))?;
        let answer = self.runtime.block_on(self.net.send(request, MOST, PATIENCE)).map_err(|error| {
            Unanswered::Away(match error {
                // It took the connection, so it is there.
                net::SendError::FirstByte(_) | net::SendError::Timeout(_) => format!(
                    "the gateway at {} is there and has not answered in {} s: it may still be doing what was asked. \
                     Look what became of it, and ask again for less at a time",
                    self.base,
                    PATIENCE.as_secs()
                ),
                error => format!(
                    "no gateway answers at {}: {error} (is `hookport serve` running? --admin URL names another)",
                    self.base
                ),
            })
        })?;
        match (answer.status.as_u16(), answer.whole) {
            (200, true) => Ok(answer.body),
            (200, false) => Err(Unanswered::Away(format!("the answer of {} broke off", self.base))),
            (502..=504, _) => Err(Unanswered::Away(self.words(&answer))),
            (422, true) => Err(Unanswered::Wrong(self.words(&answer), answer.body)),
            _ => Err(Unanswered::Refused(self.words(&answer))),
        }
    }

    /// The gateway's own words about a failure.
    fn words(&self, answer: &net::Answer) -> String {
        let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let words = document.as_ref().and_then(|document| document["error"].as_str());
        let complaints = document.as_ref().and_then(|document| document["errors"].as_array());
        let complaints: Vec<Complaint> =
            complaints.into_iter().flatten().filter_map(|one| Complaint::deserialize(one).ok()).collect();
        match words {
            Some(words) if !complaints.is_empty() => {
                let lines = complaints.iter().map(|complaint| format!("\nhookport: {}", output::plain(complaint)));
                output::plain(words) + &lines.collect::<String>()
            }
            Some(words) => output::plain(words),
            None => format!("{} answers {}: is it the admin API of a gateway?", self.base, answer.status),
        }
    }
}

/// Reads an answer of the API.
pub(super) fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| {
        Failure::refused(format_args!("the answer is not what this version of hookport understands: {error}"))
    })
}

/// A filter's fields that restrict something.
fn parameters(filter: &impl Serialize) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(filter) else { return Vec::new() };
    let text = |value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Number(number) if number.as_u64() == Some(0) => None,
        other => Some(other.to_string()),
    };
    fields.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
}
