//! The guard: a connector that refuses addresses which are not public, at the address that is really connected to.
//!
//! A name is resolved once and the connection goes to an address that was looked at, so a name server cannot answer
//! differently a second time. What is public is left to `address`.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::address::not_public;

/// Opens TCP connections to public addresses, or to any where that is allowed.
#[derive(Clone)]
pub(super) struct Guard<R = GaiResolver> {
    allow_private: bool,
    connector: HttpConnector<GuardedResolver<R>>,
}

/// Resolves names and leaves out addresses that are not public.
#[derive(Clone)]
pub(super) struct GuardedResolver<R> {
    allow_private: bool,
    resolver: R,
}

/// An address that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{address} is {kind}, which is refused unless `allow_private = true` is set")]
pub(super) struct Refused {
    address: IpAddr,
    kind: &'static str,
}

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Guard {
    pub(super) fn new(allow_private: bool) -> Self {
        Self::resolving_with(GaiResolver::new(), allow_private)
    }
}

impl<R: Clone> Guard<R> {
    fn resolving_with(resolver: R, allow_private: bool) -> Self {
        let resolver = GuardedResolver { allow_private, resolver };
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        Self { allow_private, connector }
    }
}

impl<R> Service<Uri> for Guard<R>
where
    R: Service<Name, Response: Iterator<Item = SocketAddr>, Error = io::Error, Future: Send + 'static>,
    R: Clone + Send + Sync + 'static,
{
    type Response = <HttpConnector<GuardedResolver<R>> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Connecting<Self::Response, BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // A literal address never reaches the resolver, so it is looked at here.
        if let Some(address) = literal(&uri)
            && let Err(refused) = look_at(address, self.allow_private)
        {
            return Box::pin(async move { Err(refused.into()) });
        }
        let connecting = self.connector.call(uri);
        Box::pin(async move { connecting.await.map_err(Into::into) })
    }
}

impl<R> Service<Name> for GuardedResolver<R>
where
    R: Service<Name, Response: Iterator<Item = SocketAddr>, Error = io::Error, Future: Send + 'static>,
{
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Connecting<Self::Response, io::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.resolver.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allow_private = self.allow_private;
        let resolving = self.resolver.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = resolving.await?.collect();
            let (allowed, refused): (Vec<_>, Vec<_>) = found
                .into_iter()
                .map(|address| look_at(address.ip(), allow_private).map(|()| address))
                .partition(Result::is_ok);
            match refused.into_iter().find_map(Result::err) {
                Some(refused) if allowed.is_empty() => Err(io::Error::new(io::ErrorKind::PermissionDenied, refused)),
                _ => Ok(allowed.into_iter().flatten().collect::<Vec<_>>().into_iter()),
            }
        })
    }
}

fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn look_at(address: IpAddr, allow_private: bool) -> Result<(), Refused> {
    match not_public(address) {
        Some(kind) if !allow_private => Err(Refused { address, kind }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
