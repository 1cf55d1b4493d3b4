//! `[traces]`.

use hyper::Uri;

use super::Check;
use crate::config::written::TraceProtocol;
use crate::traces::Terms;

impl Check<'_> {
    /// Nothing where nobody collects.
    pub(super) fn traces(&mut self) -> Option<Terms> {
        let written = &self.draft.written.traces;
        let TraceProtocol::HttpProtobuf = written.protocol;
        if !(0.0..=1.0).contains(&written.ratio) {
            self.complain(&["traces", "ratio"], "must lie between 0.0 (nothing) and 1.0 (everything)");
        }
        if written.timeout.0.is_zero() {
            self.complain(&["traces", "timeout"], "must be longer than 0s, such as \"10s\"");
        }
        let headers = self.headers_at(&["traces", "headers"], &written.headers, None);
        let endpoint = written.endpoint.as_deref()?;
        let wrong = match endpoint.parse::<Uri>() {
            Ok(uri) if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
                "has a name or a password in it: put them into traces.headers as Authorization"
            }
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/" => {
                "has no path: most collectors take traces at /v1/traces"
            }
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) => {
                let (timeout, ratio, accept) = (written.timeout.0, written.ratio, written.accept);
                return Some(Terms { endpoint: uri, headers, timeout, ratio, accept });
            }
            _ => "is not a URL such as \"http://127.0.0.1:4318/v1/traces\"",
        };
        self.complain(&["traces", "endpoint"], wrong);
        None
    }
}
