//! A source of a description's text, and a request to it.

use std::sync::Arc;

use hookport::provider::compile::Provider;
use hookport::provider::parse::{Grammar, Places, parse};
use hookport::provider::source::{Source, SourceParts};
use hookport::provider::verify::{Verified, verify};
use hookport::reason::Rejection;
use hookport::request::Incoming;
use jiff::Timestamp;

/// A source with the secret `s`.
pub fn source(tables: &str) -> Source {
    let text = format!("{tables}\nprovider.id = \"fuzz\"\nroute.path = \"/\"\nsecrets.main.about = \"the key\"\n");
    let description = parse(&text, "p", Grammar::Strict).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let provider = Provider::compile(description, &Places::new(&text, "p")).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let secrets = [("main".to_owned(), vec!["s".into()])].into();
    let parts = SourceParts { secrets, ..SourceParts::default() };
    Source::build("fuzz", Arc::new(provider), parts).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

/// What the gateway makes of a body with one header `sig`.
pub fn received(source: &Source, signature: &[u8], body: &[u8]) -> Option<Result<Verified, Rejection>> {
    let mut request = Incoming { method: "POST".into(), target: "/?a=1&b=%41".into(), ..Incoming::nothing() };
    request.body = body.to_vec().into();
    request.headers.insert("sig", signature.try_into().ok()?);
    Some(verify(source, &Arc::new(request), Timestamp::UNIX_EPOCH))
}
