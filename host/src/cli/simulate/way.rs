//! How a play gets to the gateway: to the listener of this configuration with all that it asks for, which is TLS and a PROXY
//! header, or to a URL that was named, as any provider would.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use url::{Host, Url};

use crate::cli::Failure;
use crate::config::resolved::Server;
use crate::net::tls::{Tls, roots};
use crate::net::{Client, SendError};

/// The header of the PROXY protocol, version 2, by which a proxy speaks for itself.
const FOR_ITSELF: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// Where to, and by what client.
pub(super) struct Way {
    pub(super) to: Url,
    pub(super) client: Client,
    /// Whether it leads to the configuration's own listener.
    here: bool,
    /// Whether that one takes connections of proxies alone.
    proxied: bool,
}

impl Way {
    pub(super) fn find(named: Option<&Url>, ca: Option<&Path>, server: &Server) -> Result<Self, Failure> {
        let to = match named {
            Some(url) if matches!(url.scheme(), "http" | "https") => url.clone(),
            Some(_) => return Err(Failure::unusable("--to begins with http:// or https://")),
            None => local(server.listen, server.tls.is_some())
                .ok_or_else(|| Failure::unusable("server.listen takes any free port: say with --to which it is"))?,
        };
        let here = is_here(&to, server.listen);
        if here && server.tls.is_some() && to.scheme() == "http" {
            return Err(Failure::unusable("the gateway speaks TLS there (server.tls): write https:// in --to"));
        }
        let tls = match (ca, &server.tls) {
            (Some(file), _) => Tls { roots: Some(roots(file).map_err(Failure::unusable)?), ..Tls::default() },
            (None, Some(certificate)) if here => Tls { pinned: certificate.shown(), ..Tls::default() },
            _ => Tls::default(),
        };
        let announces = here && server.proxy_protocol;
        if announces && !server.trusted_proxies.iter().any(|net| net.contains(&own_address(&to))) {
            let message = format!(
                "the gateway takes connections of its proxies alone (server.proxy_protocol), and {} is none: add it to \
                 server.trusted_proxies, or go through the proxy with --to",
                own_address(&to)
            );
            return Err(Failure::unusable(message));
        }
        let client = Client::beginning_with(if announces { FOR_ITSELF } else { &[] }, &tls);
        Ok(Self { to, client, here, proxied: server.proxy_protocol })
    }

    /// What went wrong, and what may be wrong with the way.
    pub(super) fn blocked(&self, error: &SendError) -> Failure {
        let words = error.to_string();
        let certificate = words.contains("certificate");
        let advice = match () {
            () if words.contains("ApplicationVerificationFailure") => {
                "; what listens there does not show the certificate of server.tls.cert: is it this gateway, and has it read \
                 the file again? --ca FILE trusts an authority instead"
            }
            // It says itself what to do.
            () if certificate => "; --ca FILE trusts an authority of your own",
            () if words.contains("tcp connect error") => "; is the gateway running, and is this where it listens?",
            () if self.proxied && !self.here => {
                "; the gateway takes connections of its proxies alone (server.proxy_protocol): is a proxy there?"
            }
            () => "",
        };
        Failure::refused(format!("{}: {words}{advice}", self.to.as_str().trim_end_matches('/')))
    }
}

/// Where a listener of this machine is reached; nowhere if its port is not known.
fn local(listen: SocketAddr, tls: bool) -> Option<Url> {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://{}", SocketAddr::new(ip, listen.port()));
    Url::parse(&url).ok().filter(|_| listen.port() != 0)
}

/// Whether a URL is that of the listener itself, and not of what stands before it.
fn is_here(to: &Url, listen: SocketAddr) -> bool {
    let port = listen.port() == 0 || to.port_or_known_default() == Some(listen.port());
    let address = own_address(to);
    let ours = match to.host() {
        Some(Host::Domain(name)) => name == "localhost",
        _ => address.is_loopback() || address == listen.ip(),
    };
    port && ours
}

/// The address by which this machine calls its own: the same one.
fn own_address(to: &Url) -> IpAddr {
    match to.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical(),
        _ => Ipv4Addr::LOCALHOST.into(),
    }
}
