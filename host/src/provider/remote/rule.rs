//! What a description says of keys that come with a request, compiled.

use hookport_plugin_api::description::{Fetch as WrittenFetch, Key};

use super::pin::{Pin, judge};
use crate::provider::algorithm::{Algorithm, KeyKind};
use crate::provider::certificate::{Chain, Trust};
use crate::provider::place::Place;
use crate::provider::signature::Where;
use crate::provider::template::Template;
use crate::provider::view::View;

/// Where a key comes from that is not configured, and what makes it count.
pub(in super::super) struct Remote {
    pub(in super::super) origin: Origin,
    pub(in super::super) trust: Trust,
}

/// Where a key comes from.
pub(in super::super) enum Origin {
    /// A URL.
    Fetched(Fetch),
    /// The request.
    Carried(Where),
}

/// `key.fetch`, compiled.
pub(in super::super) struct Fetch {
    url: Template,
    pins: Vec<Pin>,
    path: Option<String>,
}

/// What is wrong, by key.
type Wrong = Vec<(&'static str, String)>;

impl Remote {
    /// Compiles a key that is fetched or carried; none where it is neither.
    pub(in super::super) fn compile(
        key: &Key,
        form: &str,
        algorithm: Option<&Algorithm>,
    ) -> Result<Option<Self>, Wrong> {
        let mut wrong = misplaced(key, form, algorithm);
        let trust = trust(key, &mut wrong);
        let origin = match (&key.fetch, &key.from) {
            (Some(fetch), None) => Fetch::compile(fetch, &mut wrong).map(Origin::Fetched),
            (None, Some(from)) => {
                from.parse().map(Origin::Carried).map_err(|error| wrong.push(("key.from", error))).ok()
            }
            _ => None,
        };
        if wrong.is_empty() { Ok(origin.map(|origin| Self { origin, trust })) } else { Err(wrong) }
    }

    /// The places that it reads.
    pub(in super::super) fn places(&self) -> Vec<&Place> {
        match &self.origin {
            Origin::Fetched(fetch) => fetch.url.places(),
            Origin::Carried(from) => vec![&from.place],
        }
    }
}

impl Fetch {
    fn compile(written: &WrittenFetch, wrong: &mut Wrong) -> Option<Self> {
        let mut pins = Vec::new();
        for pin in &written.allow_hosts {
            match Pin::compile(pin) {
                Ok(pin) => pins.push(pin),
                Err(error) => wrong.push(("key.fetch.allow_hosts", error)),
            }
        }
        if written.allow_hosts.is_empty() {
            wrong.push((
                "key.fetch.allow_hosts",
                "missing: whose keys count? Without a pinned host anybody could offer his own".into(),
            ));
        } else if !written.url.contains("${")
            && let Err(error) = judge(&written.url, &pins, written.path.as_deref())
        {
            wrong.push(("key.fetch.url", error));
        }
        let url = Template::compile(&written.url).map_err(|error| wrong.push(("key.fetch.url", error))).ok()?;
        if url.places().iter().any(|place| matches!(place, Place::Secret(_))) {
            wrong.push(("key.fetch.url", "reads a secret, which the host that is asked would see".into()));
        }
        // What the request says of a URL is its path alone, if nothing else is pinned.
        let path = written.path.clone().or_else(|| written.url.contains("${").then(|| "*".to_owned()));
        Some(Self { url, pins, path })
    }

    /// The URL of this request's key, and its host; the error says why it may not be asked.
    pub(super) fn url(&self, view: &View<'_>) -> Result<(String, String), String> {
        let text = self.url.render(view).map_err(|unfit| format!("the URL of the key: {unfit}"))?;
        let text = String::from_utf8(text).map_err(|_| "the URL of the key is not text")?;
        judge(&text, &self.pins, self.path.as_deref())
    }
}

fn trust(key: &Key, wrong: &mut Wrong) -> Trust {
    let fetch = key.fetch.as_ref();
    let mut once = |name: &'static str, outer: &Option<String>, inner: Option<&Option<String>>| {
        let inner = inner.cloned().flatten();
        if outer.is_some() && inner.is_some() {
            wrong.push((name, "stands twice: in key and in key.fetch".into()));
        }
        outer.clone().or(inner)
    };
    let chain = once("key.chain", &key.chain, fetch.map(|fetch| &fetch.chain));
    let subject_cn = once("key.subject_cn", &key.subject_cn, fetch.map(|fetch| &fetch.subject_cn));
    let chain = chain.map(|chain| if chain == "webpki" { Chain::WebPki } else { Chain::Secret(chain) });
    Trust { chain, subject_cn, subject: key.subject.clone() }
}

/// Words that mean nothing, or prove nothing, where they stand.
fn misplaced(key: &Key, form: &str, algorithm: Option<&Algorithm>) -> Wrong {
    let (fetched, carried) = (key.fetch.is_some(), key.from.is_some());
    let shared = algorithm.is_some_and(|algorithm| algorithm.key != KeyKind::Public);
    let name = if fetched { "key.fetch" } else { "key.from" };
    let certificates = [
        ("key.chain", key.chain.is_some() || key.fetch.as_ref().is_some_and(|fetch| fetch.chain.is_some())),
        (
            "key.subject_cn",
            key.subject_cn.is_some() || key.fetch.as_ref().is_some_and(|fetch| fetch.subject_cn.is_some()),
        ),
        ("key.subject", key.subject.is_some()),
    ];
    let certified = form == "x509_pem" && (fetched || carried);
    let anybody = carried && key.chain.as_deref() == Some("webpki") && key.subject_cn.is_none();
    let of_certificates = certificates.into_iter().filter(|(_, said)| *said && !certified);
    let rules = [
        (fetched && carried, "key.from", "stands beside key.fetch: a key comes from one place"),
        (
            (fetched || carried) && shared,
            name,
            "whatever comes with a request is public: only for asymmetric algorithms",
        ),
        (carried && form != "x509_pem", "key.from", "proves nothing unless it is a certificate: form = \"x509_pem\""),
        (
            carried && key.chain.is_none(),
            "key.chain",
            "missing: a certificate that the request carries proves nothing until it chains to roots that are pinned: \
             webpki, or the name of a secret that holds them",
        ),
        (
            anybody,
            "key.subject_cn",
            "missing: anybody has a certificate below the roots of browsers; whose common name counts?",
        ),
    ];
    let rules = rules.into_iter().filter(|(applies, ..)| *applies).map(|(_, key, why)| (key, why.to_owned()));
    let only = "is for certificates that come with a request: form = \"x509_pem\" with fetch or from";
    rules.chain(of_certificates.map(|(name, _)| (name, only.to_owned()))).collect()
}
