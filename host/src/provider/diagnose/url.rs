//! The URL, where it is signed: the sender's own is what it was given, not what a proxy makes of it.

use super::Variant;
use super::varied::{described, given};
use crate::provider::source::Source;
use crate::provider::view::PublicUrl;
use crate::request::Incoming;

const CONFIGURED: &str = "give the URL as the provider has it, with --url or public_url";
const SENT: &str = "the request must carry the path and query that the provider calls";

type Edit = fn(&PublicUrl) -> Option<PublicUrl>;

const EDITS: [(Edit, &str); 5] = [
    (bare, "has no port"),
    (with_port, "has its default port"),
    (|url| url.origin.strip_prefix("http://").map(|rest| moved(url, "https://", rest, ":80")), "begins with https"),
    (|url| url.origin.strip_prefix("https://").map(|rest| moved(url, "http://", rest, ":443")), "begins with http"),
    (|url| (!url.base.is_empty()).then(|| PublicUrl { base: String::new(), ..url.clone() }), "has no path in front"),
];

pub(super) fn variants(source: &Source, request: &Incoming) -> Vec<Variant> {
    if !source.ready.iter().any(|ready| ready.reads_url) {
        return Vec::new();
    }
    let configured = EDITS.into_iter().filter_map(|(edit, is)| {
        let urls: Vec<_> = source.urls.iter().filter_map(edit).collect();
        let varied = if urls.is_empty() { None } else { given(source, |parts| parts.public_urls = urls) }?;
        Some(Variant::of_source(varied, format!("when the URL {is}: {CONFIGURED}")))
    });
    let sent = targets(request).into_iter().map(|(target, is)| {
        Variant::of_request(Incoming { target, ..request.clone() }, format!("when the URL has {is}: {SENT}"))
    });
    let tables = 0..source.provider.tables.len();
    let queried = tables.filter(|_| !request.query().is_empty()).filter_map(|index| {
        let varied = described(source, index, |written| {
            for message in &mut written.message.0 {
                *message = message.replace("${url.path", "${url.target");
            }
        })?;
        let says = format!("when the query is signed behind the path: say url.target, not url.path, in verify.{index}");
        Some(Variant::of_source(varied, says))
    });
    configured.chain(sent).chain(queried).collect()
}

fn targets(request: &Incoming) -> Vec<(String, &'static str)> {
    let (path, query) = (request.path(), &request.target[request.path().len()..]);
    let bare = path.trim_end_matches('/');
    let targets = [
        (path.to_owned(), "no query"),
        (format!("{bare}{query}"), "no slash at the end of its path"),
        (format!("{bare}/{query}"), "a slash at the end of its path"),
    ];
    targets.into_iter().filter(|(target, _)| *target != request.target).collect()
}

fn default_port(url: &PublicUrl) -> &'static str {
    if url.origin.starts_with("https://") { ":443" } else { ":80" }
}

fn bare(url: &PublicUrl) -> Option<PublicUrl> {
    let bare = url.origin.strip_suffix(default_port(url))?;
    Some(PublicUrl { origin: bare.to_owned(), ..url.clone() })
}

fn with_port(url: &PublicUrl) -> Option<PublicUrl> {
    let host = url.origin.split_once("://").map_or("", |(_, host)| host);
    // The colons of an IPv6 address are none of a port.
    let has_port = host.rsplit_once(']').map_or(host, |(_, port)| port).contains(':');
    (!has_port).then(|| PublicUrl { origin: format!("{}{}", url.origin, default_port(url)), ..url.clone() })
}

fn moved(url: &PublicUrl, scheme: &str, rest: &str, port: &str) -> PublicUrl {
    PublicUrl { origin: format!("{scheme}{}", rest.strip_suffix(port).unwrap_or(rest)), ..url.clone() }
}
