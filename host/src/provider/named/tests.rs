//! What lets read of headers and elements, through whole views of requests.

use hookport_plugin_api::description::{Many, When};

use super::super::view::{Parsed, Reads};
use super::*;
use crate::request::Incoming;

fn request(headers: &[(&'static str, &'static str)], body: &'static str) -> Incoming {
    let mut request = Incoming { body: body.into(), ..Incoming::nothing() };
    for (name, value) in headers {
        request.headers.append(*name, value.parse().unwrap());
    }
    request
}

fn with<T>(request: &Incoming, look: impl FnOnce(&View<'_>) -> T) -> T {
    let parsed = Parsed::new(request, Reads { json: true, form: true, xml: true, query: true });
    let (lets, settings) = (BTreeMap::new(), BTreeMap::new());
    let (secrets, url, sig, own) = (&[][..], None, &[][..], &[][..]);
    look(&View { parsed: &parsed, envelope: None, lets: &lets, settings: &settings, secrets, url, sig, own })
}

fn render(written: &str, request: &Incoming) -> Result<String, String> {
    let written: BTreeMap<String, Let> = toml::from_str(written).unwrap();
    let named = Named::compile(&written["x"])?;
    let text = with(request, |view| named.render(view)).map_err(|unfit| unfit.to_string())?;
    Ok(String::from_utf8(text).unwrap())
}

#[test]
fn the_headers_that_a_text_lists_are_read_in_its_order() {
    let request = request(&[("h", "B  a"), ("a", "1"), ("b", "2")], "");
    assert_eq!(render("x = { listed_headers = '${header:h}', join = '.' }", &request).unwrap(), "2.1");
    let pairs = "x = { listed_headers = 'A, b', split = ',', pair = '${k}:${v};' }";
    assert_eq!(render(pairs, &request).unwrap(), "a:1;b:2;");
    assert_eq!(render("x = { listed_headers = 'a c' }", &request).unwrap_err(), "header:c is missing");
    assert!(render("x = { listed_headers = 'a a/b' }", &request).unwrap_err().contains("no header"));
    assert!(render("x = { listed_headers = 'a', split = '' }", &request).unwrap_err().contains("split"));
}

#[test]
fn a_list_names_64_headers_at_most() {
    let list = |count: usize| format!("x = {{ listed_headers = '{}' }}", "a ".repeat(count));
    let request = request(&[("a", "1")], "");
    assert_eq!(render(&list(64), &request).unwrap().len(), 64);
    assert!(render(&list(65), &request).unwrap_err().contains("64"));
}

#[test]
fn the_fields_of_an_xml_body_are_collected_as_those_of_a_form() {
    let body = "<xml><b>2</b><sign>S</sign><a><![CDATA[1]]></a><c></c></xml>";
    let collect = "x = { collect = 'xml', exclude = ['sign'], skip_empty = true }";
    assert_eq!(render(collect, &request(&[], body)).unwrap(), "a=1&b=2");
    assert!(render(collect, &request(&[], "<xml><a k='unsigned'>1</a></xml>")).is_err());
    assert!(render(collect, &request(&[], "a=1&b=2")).is_err());
}

/// <https://pay.weixin.qq.com/wiki/doc/api/jsapi.php?chapter=4_3>
#[test]
fn the_published_example_of_wechat_pay_is_reproduced() {
    let body = "<xml><appid>wxd930ea5d5a258f4f</appid><mch_id>10000100</mch_id><device_info>1000</device_info>\
                <body>test</body><nonce_str>ibuaiVcKdpRxkhJA</nonce_str><sign>9A0A8659F005D6984697E2CA0A9CF3B7</sign></xml>";
    let collect = "x = { collect = 'xml', exclude = ['sign'], skip_empty = true }";
    let text = render(collect, &request(&[], body)).unwrap() + "&key=192006250b4c09247ec02edce69f6a2d";
    let sign = with(&request(&[], body), |view| view.bytes(&"xml:sign".parse().unwrap()).unwrap().into_owned());
    let md5 = super::super::filter::Filter::named("md5").unwrap().run(text.as_bytes()).unwrap();
    assert_eq!(hex::encode_upper(md5).as_bytes(), sign);
}

#[test]
fn a_condition_may_name_several_sources_that_are_there_or_not_there() {
    let one = request(&[("a", "1")], "<r><s>1</s></r>");
    let holds = |present: &[&str], absent: &[&str]| {
        let many = |texts: &[&str]| Many(texts.iter().map(|text| (*text).to_owned()).collect());
        let when = When { present: many(present), absent: many(absent), ..When::default() };
        let condition = Condition::compile(&when).unwrap();
        with(&one, |view| condition.holds(view)).map_err(|unfit| unfit.to_string())
    };
    assert_eq!(holds(&["header:a", "xml:s"], &["header:b", "xml:t"]), Ok(()));
    assert_eq!(holds(&["header:a", "header:b"], &[]).unwrap_err(), "header:b is missing");
    assert_eq!(holds(&[], &["header:b", "xml:s"]).unwrap_err(), "xml:s is there, and should not be");
}

#[test]
fn numbered_headers_and_checksums_are_known() {
    let one = request(&[("x-sig-1", "a"), ("x-sig-2", "b")], "123456789");
    let bytes = |text: &str| with(&one, |view| Template::compile(text).unwrap().render(view)).unwrap();
    assert_eq!(bytes("${body|crc32}"), b"3421780262");
    assert!(Template::compile("${header_seq:x-sig-}").unwrap_err().contains("several headers"));
    let place: Place = "header_seq:X-Sig-".parse().unwrap();
    assert_eq!(
        (with(&one, |view| view.bytes(&place).is_some()), place.to_string()),
        (true, "header_seq:x-sig-".into())
    );
    assert!("header_seq:x sig".parse::<Place>().is_err());
}

#[test]
fn the_envelope_is_the_whole_body_whatever_the_document_is() {
    let (outer, inner) = (request(&[], r#"{"type":"sealed"}"#), request(&[], r#"{"type":"plain"}"#));
    let reads = Reads { json: true, xml: true, ..Reads::default() };
    let (outer, inner) = (Parsed::new(&outer, reads), Parsed::new(&inner, reads));
    let (lets, settings) = (BTreeMap::new(), BTreeMap::new());
    let (secrets, url, sig, own) = (&[][..], None, &[][..], &[][..]);
    let view = View { parsed: &inner, envelope: None, lets: &lets, settings: &settings, secrets, url, sig, own };
    let text = |view: &View<'_>, place: &str| {
        view.bytes(&place.parse().unwrap()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    assert_eq!(text(&view, "envelope:/type").as_deref(), Some("plain"));
    let view = View { envelope: Some(&outer), ..view };
    assert_eq!(text(&view, "envelope:/type").as_deref(), Some("sealed"));
    assert_eq!(text(&view, "json:/type").as_deref(), Some("plain"));
    let xml = request(&[], "<xml><to>me</to></xml>");
    let xml = Parsed::new(&xml, reads);
    assert_eq!(text(&View { envelope: Some(&xml), ..view }, "envelope:/to").as_deref(), Some("me"));
}
