//! What a destination gets: body and headers of a delivery in each format. Signing and sending are left to `http`,
//! lines in files to `lines`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::config::written::Format;
use crate::event::{Data, Event};
use crate::request::Incoming;

/// A body with the headers that describe it.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Headers of one connection (RFC 9110, 7.6.1), and those that the client writes itself.
const NEVER_COPIED: [HeaderName; 13] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    // The client waits for no 100, and the receiver would.
    header::EXPECT,
    header::HOST,
    header::CONTENT_LENGTH,
];

/// The request that a destination gets.
pub(super) fn request(format: Format, event: &Event, request: &Incoming) -> Result<Payload, serde_json::Error> {
    let (content_type, body) = match format {
        Format::Raw => return Ok(Payload { headers: copied(&request.headers), body: request.body.clone() }),
        Format::CloudEvent => ("application/cloudevents+json", serde_json::to_vec(event)?.into()),
        Format::Data => match &event.data {
            Data::Json(json) => ("application/json", json.clone()),
            Data::None => ("application/json", Bytes::from_static(b"null")),
            // What is not JSON stays what it is, under its own name.
            Data::Bytes(bytes, content_type) => (content_type.as_str(), bytes.clone()),
        },
    };
    Ok(described(content_type, body))
}

/// The JSON that a transform reads.
pub(super) fn document(format: Format, event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    match format {
        Format::CloudEvent => serde_json::to_vec(event),
        Format::Data | Format::Raw => data(&event.data),
    }
}

/// What a transform made; it is a CloudEvent where it began as one and still says so.
pub(super) fn transformed(format: Format, body: Bytes) -> Payload {
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        specversion: Option<&'a RawValue>,
    }
    let still_one = || serde_json::from_slice::<Told<'_>>(&body).is_ok_and(|told| told.specversion.is_some());
    match format {
        Format::CloudEvent if still_one() => described("application/cloudevents+json", body),
        _ => described("application/json", body),
    }
}

fn described(content_type: &str, body: Bytes) -> Payload {
    let content_type =
        HeaderValue::from_str(content_type).unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let user_agent = HeaderValue::from_static(concat!("hookport/", env!("CARGO_PKG_VERSION")));
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type), (header::USER_AGENT, user_agent)]);
    Payload { headers, body }
}

/// The data as JSON, whatever it is.
fn data(data: &Data) -> Result<Vec<u8>, serde_json::Error> {
    match data {
        Data::Json(json) => Ok(json.to_vec()),
        Data::None => Ok(b"null".to_vec()),
        Data::Bytes(bytes, content_type) => {
            serde_json::to_vec(&json!({ "datacontenttype": content_type, "data_base64": STANDARD.encode(bytes) }))
        }
    }
}

/// One line of JSON, its newline included.
pub(super) fn line(format: Format, event: &Event, request: &Incoming) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = match format {
        Format::CloudEvent => serde_json::to_vec(event)?,
        Format::Data => data(&event.data)?,
        Format::Raw => serde_json::to_vec(&raw(event, request))?,
    };
    // A document that was kept with newlines between its tokens has them nowhere else: in strings they are escaped.
    line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.push(b'\n');
    Ok(line)
}

/// A request as a JSON object: text where it is text.
fn raw(event: &Event, request: &Incoming) -> serde_json::Value {
    let headers: Vec<_> = copied(&request.headers)
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let mut object = json!({ "id": event.id, "method": request.method, "target": request.target, "headers": headers });
    match std::str::from_utf8(&request.body) {
        Ok(text) => object["body"] = text.into(),
        Err(_) => object["body_base64"] = STANDARD.encode(&request.body).into(),
    }
    object
}

/// The provider's headers, without those that belong to its own connection.
fn copied(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    headers
        .iter()
        .filter(|(name, _)| !NEVER_COPIED.contains(name) && !named.iter().any(|other| other == name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::EventState;

    fn event(data: Data) -> Event {
        Event {
            id: Uuid::nil(),
            source: "s".into(),
            provider: "p".into(),
            provider_version: "1.0.0".into(),
            kind: "p.x".into(),
            subject: None,
            time: None,
            received: "2026-01-02T03:04:05Z".parse().unwrap(),
            provider_id: None,
            data,
            state: EventState::Routed,
            warnings: Vec::new(),
        }
    }

    fn incoming(headers: &[(&'static str, &'static str)], body: &'static [u8]) -> Incoming {
        Incoming {
            method: "POST".into(),
            target: "/p?a=1".into(),
            headers: headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
            body: Bytes::from_static(body),
            peer: None,
            received: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    #[test]
    fn raw_keeps_bytes_and_headers_but_those_of_the_connection() {
        let request_in = incoming(
            &[
                ("host", "hooks.example.com"),
                ("content-length", "3"),
                ("content-type", "text/xml; charset=GBK"),
                ("connection", "close, X-Hop"),
                ("x-hop", "1"),
                ("keep-alive", "timeout=5"),
                ("transfer-encoding", "chunked"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABkAAQAAP__"),
                ("expect", "100-continue"),
                ("proxy-authorization", "x"),
                ("x-signature", "abc"),
                ("x-twice", "1"),
                ("x-twice", "2"),
                ("user-agent", "provider/1"),
            ],
            b"\xff\x00\n",
        );
        let payload = request(Format::Raw, &event(Data::None), &request_in).unwrap();
        let mut names: Vec<_> =
            payload.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        names.sort();
        assert_eq!(
            names,
            [
                "content-type: text/xml; charset=GBK",
                "user-agent: provider/1",
                "x-signature: abc",
                "x-twice: 1",
                "x-twice: 2"
            ]
        );
        assert_eq!(&payload.body[..], b"\xff\x00\n");
    }

    #[test]
    fn data_is_the_document_as_it_was_kept() {
        let json = Data::Json(Bytes::from_static(br#"{"b":10.00,"a":1}"#));
        let payload = request(Format::Data, &event(json), &incoming(&[], b"")).unwrap();
        assert_eq!(&payload.body[..], br#"{"b":10.00,"a":1}"#);
        assert_eq!(payload.headers["content-type"], "application/json");

        let payload = request(Format::Data, &event(Data::None), &incoming(&[], b"")).unwrap();
        assert_eq!(&payload.body[..], b"null");

        let xml = Data::Bytes(Bytes::from_static(b"<a/>"), "text/xml".into());
        let payload = request(Format::Data, &event(xml), &incoming(&[], b"")).unwrap();
        assert_eq!((&payload.body[..], &payload.headers["content-type"]), (&b"<a/>"[..], &"text/xml".parse().unwrap()));
    }

    #[test]
    fn a_line_is_one_line_in_every_format() {
        let json = Data::Json(Bytes::from_static(b"{\"a\":\r\n 10.00}"));
        for format in [Format::CloudEvent, Format::Data, Format::Raw] {
            let line = line(format, &event(json.clone()), &incoming(&[], b"a\nb")).unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "{format:?}");
            assert!(line.ends_with(b"\n"));
            assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        }
    }

    #[test]
    fn a_raw_line_holds_the_request() {
        let request_in = incoming(&[("content-type", "text/plain"), ("host", "h")], b"a\nb");
        let text = line(Format::Raw, &event(Data::None), &request_in).unwrap();
        let expected = json!({
            "id": "00000000-0000-0000-0000-000000000000", "method": "POST", "target": "/p?a=1",
            "headers": [["content-type", "text/plain"]], "body": "a\nb",
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), expected);
        let text = line(Format::Raw, &event(Data::None), &incoming(&[], b"\xff")).unwrap();
        assert!(String::from_utf8(text).unwrap().contains(r#""body_base64":"/w==""#));
    }
}
