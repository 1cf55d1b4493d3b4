//! What XML is to the engine, and how little of it a sender may spend.

use super::super::json::Document;
use super::*;

fn path(text: &str) -> Vec<String> {
    text.split('/').map(str::to_owned).collect()
}

fn text(document: &str, at: &str) -> Option<String> {
    Xml::parse(document.as_bytes()).unwrap().text(&path(at)).map(Cow::into_owned)
}

fn json(document: &str, without: &[&str]) -> String {
    let without: Vec<_> = without.iter().map(|text| path(text)).collect();
    let without: Vec<_> = without.iter().map(Vec::as_slice).collect();
    let mut out = Vec::new();
    Xml::parse(document.as_bytes()).unwrap().write_json(&without, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refused(document: impl AsRef<[u8]>) -> String {
    Xml::parse(document.as_ref()).unwrap_err().to_string()
}

#[test]
fn a_text_is_read_through_cdata_references_and_comments() {
    let document =
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml><a>1&#48;<![CDATA[<&]]>&lt;<!-- x -->é</a></xml>";
    assert_eq!(text(document, "a").unwrap(), "10<&<é");
    assert_eq!(json(document, &[]), r#"{"a":"10<&<é"}"#);
}

#[test]
fn an_element_that_comes_twice_at_a_path_is_nobodys() {
    let document = "<r><a><b>1</b></a><c>2</c><c>3</c><n:d xmlns:n=\"u\">4</n:d></r>";
    assert_eq!(text(document, "a/b").as_deref(), Some("1"));
    assert_eq!(text(document, "c"), None);
    assert_eq!(text(document, "d").as_deref(), Some("4"));
    assert_eq!(text(document, "a").as_deref(), Some("<b>1</b>"));
    assert_eq!(Xml::parse(document.as_bytes()).unwrap().repeated().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn the_document_is_the_roots_children() {
    let document = "<r>\n <a>1</a>\n <l>x</l><b k=\"v\" n:k=\"w\" xmlns:n=\"u\">t</b>\n <l/><o><i>1</i>text</o></r>";
    assert_eq!(
        json(document, &["a"]),
        r##"{"l":["x",""],"b":{"@k":["v","w"],"#text":"t"},"o":{"i":"1","#text":"text"}}"##
    );
    assert_eq!((json("<r/>", &[]).as_str(), json("<r>t</r>", &[]).as_str()), ("{}", r##"{"#text":"t"}"##));
}

#[test]
fn fields_are_all_that_the_document_says_or_there_are_none() {
    let fields = |document: &str| {
        let xml = Xml::parse(document.as_bytes()).unwrap();
        xml.fields().map(|fields| fields.into_iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>())
    };
    assert_eq!(fields("<x> <b>2</b><a><![CDATA[1]]></a><c><d/></c></x>").unwrap(), ["b=2", "a=1", "c=<d/>"]);
    for unsaid in ["<x k=\"v\"><a>1</a></x>", "<x>t<a>1</a></x>", "<x><a k=\"v\">1</a></x>"] {
        assert_eq!(fields(unsaid), None, "{unsaid}");
    }
}

#[test]
fn what_is_not_utf_8_or_not_well_formed_is_refused_without_its_own_words() {
    for (document, why) in [
        ("<?xml version=\"1.0\" encoding='GBK'?><a/>", "not UTF-8"),
        ("<?xml\tversion=\"1.0\" encoding = \"iso-8859-1\"?><a/>", "not UTF-8"),
        ("<a>&secret;</a>", "reference"),
        ("<a>&#0;</a>", "reference"),
        ("<a></secret>", "closing tag"),
        ("<a secret='1' secret='2'/>", "twice"),
        ("<secret:a/>", "prefix"),
        ("<a>\u{1}</a>", "character"),
        ("<a/><b/>", "not well-formed"),
        ("<a>", "ends too early"),
        ("", "begin with <"),
        ("{\"a\":1}", "begin with <"),
    ] {
        let error = refused(document);
        assert!(error.contains(why) && !error.contains("secret"), "{document}: {error}");
    }
    assert!(refused(b"<a>\xb0\xa1</a>").contains("not UTF-8"));
    assert!(refused(b"\xff\xfe<\0a\0/\0>\0").contains("not UTF-8"));
}

#[test]
fn entities_cannot_be_declared() {
    let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><r>&b;</r>";
    let external = "<?xml version=\"1.0\"?>\n<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>";
    for document in [bomb, external, "<!-- c --><!DOCTYPE r><r/>", "<r><!DOCTYPE r [<!ENTITY a \"b\">]>&a;</r>"] {
        assert!(["document type", "not well-formed"].iter().any(|why| refused(document).contains(why)), "{document}");
    }
}

#[test]
fn nesting_is_bounded_and_does_not_use_the_stack() {
    let nest = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(Xml::parse(nest(MAX_DEPTH).as_bytes()).is_ok());
    assert!(refused(nest(MAX_DEPTH + 1)).contains("deeper than 128"));
    assert!(refused(nest(99_000)).contains("deeper than 128"));
    assert!(refused(nest(300_000)).contains("100000 nodes"));
}

#[test]
fn lists_count_as_nesting_of_the_json_document() {
    // Every level is an object in a list: 100 elements are 199 levels of JSON.
    let nest = |depth: usize| format!("{}<a/>{}", "<a><a/>".repeat(depth), "</a>".repeat(depth));
    let written = |depth: usize| {
        let mut out = Vec::new();
        Xml::parse(nest(depth).as_bytes()).unwrap().write_json(&[], &mut out).map(|()| out)
    };
    assert!(Document::parse(&written(64).unwrap()).is_ok());
    assert!(Document::parse(&written(63).unwrap()).is_ok());
    assert!(written(65).unwrap_err().to_string().contains("JSON"));
}

#[test]
fn what_would_cost_more_than_its_length_is_refused() {
    let attributes: String = (0..100_000).map(|n| format!(" a{n}='>'")).collect();
    assert!(refused(format!("<r{attributes}/>")).contains("256 attributes"));
    let namespaces: String = (0..50_000).map(|n| format!("<a xmlns:n{n}='u'>")).collect();
    assert!(refused(namespaces).contains("256 namespaces"));
    assert!(refused(format!("<r>{}</r>", "<a/>".repeat(100_000))).contains("100000 nodes"));
    assert!(refused("<".repeat(2_000_000)).contains("1000000"));
    let queries = format!("<r><![CDATA[{}]]></r>", "a=1&".repeat(1000));
    assert!(Xml::parse(queries.as_bytes()).is_ok());
}

#[test]
fn many_names_under_one_element_take_linear_time() {
    let document = format!("<r>{}</r>", (0..49_000).map(|n| format!("<a{n}>1</a{n}>")).collect::<String>());
    assert_eq!(Document::parse(json(&document, &[]).as_bytes()).unwrap().root().members().count(), 49_000);
    let document = format!("<r>{}</r>", "<a>1</a><!-- -->".repeat(33_000));
    assert_eq!(json(&document, &[]).len(), "{\"a\":[]}".len() + 33_000 * 4 - 1);
    let pieces = format!("<r>{}</r>", "<![CDATA[x]]><!---->".repeat(49_000));
    assert_eq!(json(&pieces, &[]).len(), "{\"#text\":\"\"}".len() + 49_000);
}

#[test]
fn the_inside_of_an_element_is_found_whatever_it_holds() {
    let inside = |document: &'static str, at: &str| {
        let at = if at.is_empty() { Vec::new() } else { path(at) };
        Xml::parse(document.as_bytes()).unwrap().inside(&at).map(|range| &document[range])
    };
    assert_eq!(inside("<r><s ><![CDATA[x]]>y</s ></r>", "s"), Some("<![CDATA[x]]>y"));
    assert_eq!(inside("<r><s></s></r>", "s"), Some(""));
    assert_eq!(inside("<r><s/></r>", "s"), None);
    assert_eq!(inside("<r><s/> </r>", ""), Some("<s/> "));
    assert_eq!(inside("<r>a<s/></r>", ""), Some("a<s/>"));
}
