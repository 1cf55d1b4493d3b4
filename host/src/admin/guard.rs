//! Who may ask. With a token: who has it. Without: programs on this machine, and no web page in somebody's browser.
//!
//! A page reaches loopback in two ways: it sends a request across origins, or it makes its own name resolve to loopback
//! (DNS rebinding). The first shows in `Origin` and `Sec-Fetch-Site`, the second in a `Host` that is a name.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HOST, HeaderName, HeaderValue, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Failure, Shared};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request through, or answers it.
pub(super) async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let judged = judge(request.headers(), shared.state.token.as_ref());
    answer(judged, request, next).await
}

/// The same for the metrics, which have a token of their own beside that of the API.
pub(super) async fn admit_collector(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (all, own) = (shared.state.token.as_ref(), shared.state.metrics_token.as_ref());
    let judged = match own.filter(|own| bears(request.headers(), own)) {
        Some(own) => judge(request.headers(), Some(own)),
        None => judge(request.headers(), all.or(own)),
    };
    answer(judged, request, next).await
}

async fn answer(judged: Result<(), Failure>, request: Request, next: Next) -> Response {
    let mut response = match judged {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn judge(headers: &HeaderMap, token: Option<&SecretString>) -> Result<(), Failure> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_cross_origin(headers, host) {
        return Err(Failure::new(StatusCode::FORBIDDEN, "web pages of other origins are not served"));
    }
    match token {
        Some(token) if bears(headers, token) => Ok(()),
        Some(_) if headers.contains_key(AUTHORIZATION) => {
            Err(Failure::new(StatusCode::UNAUTHORIZED, "this token is not admin.token of the running gateway"))
        }
        Some(_) => Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "a token is needed: Authorization: Bearer ..., or --token or HOOKPORT_ADMIN_TOKEN on the command line",
        )),
        None if is_direct(host) => Ok(()),
        None => Err(Failure::new(
            StatusCode::FORBIDDEN,
            "without a token the API is asked by address (127.0.0.1, localhost) and not by name: set admin.token",
        )),
    }
}

fn is_cross_origin(headers: &HeaderMap, host: &str) -> bool {
    let foreign_site = headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let foreign_origin = headers.get(ORIGIN).is_some_and(|origin| {
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
        authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host))
    });
    foreign_site || foreign_origin
}

/// The comparison takes as long for a wrong token as for the right one of that length.
fn bears(headers: &HeaderMap, token: &SecretString) -> bool {
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let Some((scheme, given)) = given.split_at_checked(7) else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ") && given.trim_ascii().ct_eq(token.expose_secret().as_bytes()).into()
}

/// Whether the Host is an address or `localhost`: no name that somebody else could point here.
fn is_direct(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(&'static str, &'static str)], token: Option<&str>) -> Option<StatusCode> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let token = token.map(|token| SecretString::from(token.to_owned()));
        judge(&headers.iter().map(pair).collect(), token.as_ref()).err().map(|failure| failure.into_response().status())
    }

    #[test]
    fn programs_on_this_machine_are_served() {
        for host in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "LOCALHOST", "10.0.0.7"] {
            assert_eq!(status(&[("host", host)], None), None, "{host}");
        }
    }

    #[test]
    fn a_name_that_was_pointed_here_is_refused() {
        for host in ["evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            assert_eq!(status(&[("host", host)], None), Some(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(status(&[], None), Some(StatusCode::FORBIDDEN));
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let host = ("host", "127.0.0.1:8081");
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:3000"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(status(&[host, foreign], None), Some(StatusCode::FORBIDDEN), "{foreign:?}");
            let with_token = [host, foreign, ("authorization", "Bearer t")];
            assert_eq!(status(&with_token, Some("t")), Some(StatusCode::FORBIDDEN), "{foreign:?}");
        }
        assert_eq!(status(&[host, ("origin", "http://127.0.0.1:8081"), ("sec-fetch-site", "same-origin")], None), None);
    }

    #[test]
    fn only_the_whole_token_opens() {
        let host = ("host", "hooks.example.com");
        assert_eq!(status(&[host, ("authorization", "Bearer secret")], Some("secret")), None);
        assert_eq!(status(&[host, ("authorization", "bearer secret")], Some("secret")), None);
        for wrong in ["Bearer secre", "Bearer secrets", "Bearer ", "secret", "Basic secret", ""] {
            let headers = [("host", "127.0.0.1"), ("authorization", wrong)];
            assert_eq!(status(&headers, Some("secret")), Some(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        assert_eq!(status(&[("host", "127.0.0.1")], Some("secret")), Some(StatusCode::UNAUTHORIZED));
    }
}
