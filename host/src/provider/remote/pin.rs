//! Which URLs may be asked for a key: https alone, from pinned hosts, in the one way to write them.

use url::{Host, Position, Url};

/// Bytes of a URL; those of certificates are a tenth of it.
const LONGEST: usize = 2048;

/// A pinned host: `*` stands for one label or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Pin {
    labels: Vec<String>,
    port: Option<u16>,
}

impl Pin {
    /// Reads `sns.*.amazonaws.com`, or `keys.internal:8443`.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => {
                (host, Some(port.parse().map_err(|_| format!("{text:?} has no port behind its colon"))?))
            }
            None => (text, None),
        };
        let labels: Vec<String> = host.split('.').map(str::to_owned).collect();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'*');
        if !labels.iter().all(|label| !label.is_empty() && label.bytes().all(plain)) {
            return Err(format!("{text:?} is not a host's name: lower-case letters, digits, - and * between dots"));
        }
        // Whoever may register names below the pin would sign.
        if labels.iter().rev().take(2).any(|label| label.contains('*')) {
            return Err(format!("{text:?} pins nothing: the last two labels of a host stand without *"));
        }
        Ok(Self { labels, port })
    }

    fn holds(&self, host: &str, port: Option<u16>) -> bool {
        let labels = host.split('.');
        self.port == port
            && labels.clone().count() == self.labels.len()
            && labels.zip(&self.labels).all(|(label, pin)| !label.is_empty() && glob(pin, label))
    }
}

/// The URL, if it is written in the one way that every reader understands alike, and pinned; and its host. A path that is
/// pinned comes without a query unless the pin has one: what a server answers is often the query's to say.
pub(super) fn judge(text: &str, pins: &[Pin], path: Option<&str>) -> Result<(String, String), String> {
    if text.len() > LONGEST {
        return Err(format!("the URL of the key is longer than {LONGEST} bytes"));
    }
    let plain = || "the URL of the key is not a plain https URL".to_owned();
    let url = Url::parse(text).ok().filter(|url| url.as_str() == text && url.scheme() == "https").ok_or_else(plain)?;
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let Some(Host::Domain(host)) = url.host().filter(|_| bare) else { return Err(plain()) };
    if !pins.iter().any(|pin| pin.holds(host, url.port())) {
        return Err(format!("the URL of the key is on the host {host:?}, which is none of allow_hosts"));
    }
    let leads = |pinned: &str| match pinned.contains('?') {
        true => glob(pinned, &url[Position::BeforePath..]),
        false => url.query().is_none() && glob(pinned, url.path()),
    };
    if !path.is_none_or(leads) {
        return Err(format!("the URL of the key has another path or query on {host} than the pinned one"));
    }
    Ok((text.to_owned(), host.to_owned()))
}

/// Whether the pattern matches the whole text; `*` is any characters.
pub(in super::super) fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(url: &str) -> Result<String, String> {
        let pins = ["sns.*.amazonaws.com", "api*.keys.example", "keys.internal:8443"];
        let pins = pins.map(|pin| Pin::compile(pin).unwrap());
        judge(url, &pins, Some("/Simple-*.pem")).map(|(_, host)| host)
    }

    #[test]
    fn a_pinned_url_is_taken_as_it_is_written() {
        for (url, host) in [
            ("https://sns.us-east-1.amazonaws.com/Simple-0a.pem", "sns.us-east-1.amazonaws.com"),
            ("https://api-2.keys.example/Simple-.pem", "api-2.keys.example"),
            ("https://api.keys.example/Simple-a/b.pem", "api.keys.example"),
            ("https://keys.internal:8443/Simple-x.pem", "keys.internal"),
        ] {
            assert_eq!(judged(url).as_deref(), Ok(host), "{url}");
        }
    }

    #[test]
    fn a_host_that_looks_like_a_pinned_one_is_another() {
        for url in [
            "https://sns.us-east-1.amazonaws.com.evil.org/Simple-0.pem",
            "https://evil.org/sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://evil.org/Simple-0.pem?sns.us-east-1.amazonaws.com",
            "https://evil.org/Simple-0.pem#.sns.us-east-1.amazonaws.com",
            "https://sns.us-east-1.amazonaws.com@evil.org/Simple-0.pem",
            "https://evil.org@sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://a:b@sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://evil.org\\@sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com\\.evil.org/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com:443/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com:8443/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com./Simple-0.pem",
            "https://SNS.us-east-1.amazonaws.com/Simple-0.pem",
            "HTTPS://sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://sns.us-east-1.amazonaws%2ecom/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com%2eevil.org/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com%00.evil.org/Simple-0.pem",
            "https://sns.a.b.amazonaws.com/Simple-0.pem",
            "https://sns..amazonaws.com/Simple-0.pem",
            "https://sns.amazonaws.com/Simple-0.pem",
            "https://evil-sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://sns.us-east-1.evilamazonaws.com/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.comevil/Simple-0.pem",
            "https://sns.us-east-1.ɑmazonaws.com/Simple-0.pem",
            "https://sns.us-east-1.amazonaws。com/Simple-0.pem",
            "https://sns.us-east-1.xn--mazonaws-3hd.com/Simple-0.pem",
            "https://keys.internal/Simple-0.pem",
            "https://127.0.0.1/Simple-0.pem",
            "https://2130706433/Simple-0.pem",
            "https://0x7f.1/Simple-0.pem",
            "https://[::1]/Simple-0.pem",
            "http://sns.us-east-1.amazonaws.com/Simple-0.pem",
            "file:///Simple-0.pem",
            "//sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https:sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https:///sns.us-east-1.amazonaws.com/Simple-0.pem",
            " https://sns.us-east-1.amazonaws.com/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com/Simple-0.pem\n",
            "https://sns.us-east-1.amazonaws.com\t/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com/x/../Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com/x/%2e%2e/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com/evil/Simple-0.pem",
            "https://sns.us-east-1.amazonaws.com/Simple-0.pem/",
            "https://sns.us-east-1.amazonaws.com/Simple-0.pem#",
            "https://sns.us-east-1.amazonaws.com/Simple-0.pem?",
            "https://sns.us-east-1.amazonaws.com/Simple-0.pem?Action=GetEndpointAttributes",
            "https://sns.us-east-1.amazonaws.com/Simple-0?x=.pem",
            "https://sns.us-east-1.amazonaws.com",
            "",
        ] {
            assert!(judged(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_query_is_taken_where_the_pin_has_one() {
        let pins = [Pin::compile("keys.example.com").unwrap()];
        let judged = |url: &str, path| judge(url, &pins, path).is_ok();
        let url = "https://keys.example.com/certs?id=7";
        assert!(judged(url, Some("/certs?id=*")) && judged(url, None));
        assert!(!judged(url, Some("/certs")) && !judged(url, Some("/certs?name=*")) && !judged(url, Some("*")));
    }

    #[test]
    fn a_url_of_any_length_is_not_kept() {
        let long = |bytes: usize| format!("https://api.keys.example/Simple-{}.pem", "a".repeat(bytes));
        assert!(judged(&long(2_000)).is_ok());
        assert!(judged(&long(2_048)).unwrap_err().contains("longer than 2048"));
    }

    #[test]
    fn a_refusal_names_the_host_and_nothing_else_of_the_url() {
        let why = judged("https://evil.org/secret-path?secret-query").unwrap_err();
        assert!(why.contains("\"evil.org\"") && !why.contains("secret"), "{why}");
        let why = judged("https://name:secret@evil.org/").unwrap_err();
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn a_pin_that_pins_nothing_is_refused() {
        for pin in ["*", "*.com", "a.*.com", "a.*", "A.b", "a..b", "", "a.b:", "a.b:x", "https://a.b", "a.b/c", "a.b."]
        {
            assert!(Pin::compile(pin).is_err(), "{pin}");
        }
        assert!(Pin::compile("localhost:1").is_ok());
    }

    #[test]
    fn a_star_is_any_characters_and_the_rest_is_itself() {
        for (pattern, text, matches) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "axc", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_taken_whose_host_is_not_pinned(url in "(https://)?[a-z.:@/\\\\%#?-]{0,20}(sns.us-east-1.amazonaws.com)?[a-z.:@/\\\\%#?-]{0,20}(/Simple-a.pem)?") {
            if let Ok(host) = judged(&url) {
                let written = format!("https://{}", host);
                prop_assert!(url.starts_with(&written));
                prop_assert!(host.ends_with(".amazonaws.com") || host.ends_with(".keys.example") || host == "keys.internal");
            }
        }
    }
}
