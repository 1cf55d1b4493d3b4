//! The PROXY protocol, versions 1 and 2: before anything else a proxy says for whom it connects. What follows the header is
//! left to TLS or HTTP. Whether the proxy is believed at all is `connection`'s to say.

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use ppp::v1;
use ppp::v2::{self, Command, Protocol};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How version 2 begins.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version, family and length.
const FIXED: usize = 16;
/// Version 2 with all that a proxy may add, such as a client certificate's names.
const LONGEST: usize = 4 << 10;
/// How version 1 begins.
const WORD: &[u8] = b"PROXY ";
/// The longest line of version 1, its end too.
const LINE: usize = 107;

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error("it does not begin with a PROXY header")]
    Missing,
    #[error("its PROXY header is longer than {0} bytes")]
    TooLong(usize),
    #[error("its PROXY header is wrong: {0}")]
    Line(#[from] v1::BinaryParseError),
    #[error("its PROXY header is wrong: {0}")]
    Binary(#[from] v2::ParseError),
    #[error("its PROXY header is for datagrams")]
    Datagram,
    #[error("it ended before its PROXY header did: {0}")]
    Ended(#[from] std::io::Error),
}

/// A whole header.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    length: usize,
    /// For whom the proxy connects; itself, if it does not say.
    caller: Option<IpAddr>,
}

/// Reads the header, and gives back what came with it.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Option<IpAddr>, Bytes), Wrong> {
    let mut bytes = BytesMut::with_capacity(2 * LINE);
    loop {
        if let Some(Header { length, caller }) = header(&bytes)? {
            return Ok((caller, bytes.split_off(length).freeze()));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// The header that these bytes begin with; nothing as long as it may still become one.
fn header(bytes: &[u8]) -> Result<Option<Header>, Wrong> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(is, should)| is == should);
    if begins(WORD) {
        line(bytes)
    } else if begins(SIGNATURE) {
        binary(bytes)
    } else {
        Err(Wrong::Missing)
    }
}

fn line(bytes: &[u8]) -> Result<Option<Header>, Wrong> {
    let Some(end) = bytes.iter().take(LINE).position(|byte| *byte == b'\n') else {
        return if bytes.len() < LINE { Ok(None) } else { Err(Wrong::TooLong(LINE)) };
    };
    let length = end + 1;
    let caller = match v1::Header::try_from(&bytes[..length])?.addresses {
        v1::Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Tcp6(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Unknown => None,
    };
    Ok(Some(Header { length, caller }))
}

fn binary(bytes: &[u8]) -> Result<Option<Header>, Wrong> {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Ok(None) };
    let length = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > LONGEST {
        return Err(Wrong::TooLong(LONGEST));
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let header = v2::Header::try_from(whole)?;
    let caller = match (header.command, header.protocol, header.addresses) {
        (Command::Local, _, _) => None,
        (_, Protocol::Datagram, _) => return Err(Wrong::Datagram),
        (_, _, v2::Addresses::IPv4(addresses)) => Some(addresses.source_address.into()),
        (_, _, v2::Addresses::IPv6(addresses)) => Some(addresses.source_address.into()),
        (_, _, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
    };
    Ok(Some(Header { length, caller }))
}

#[cfg(test)]
mod tests {
    use ppp::v2::{Builder, Version};
    use proptest::prelude::*;

    use super::*;

    fn said(bytes: &[u8]) -> String {
        match header(bytes) {
            Ok(Some(Header { length, caller: Some(caller) })) => format!("{caller}, {length} bytes"),
            Ok(Some(Header { length, caller: None })) => format!("itself, {length} bytes"),
            Ok(None) => "more".into(),
            Err(wrong) => wrong.to_string(),
        }
    }

    #[test]
    fn a_line_says_who_connects() {
        assert_eq!(said(b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\nPOST /"), "203.0.113.9, 43 bytes");
        assert_eq!(said(b"PROXY TCP6 2001:db8::9 ::1 50000 443\r\n"), "2001:db8::9, 38 bytes");
        assert_eq!(said(b"PROXY UNKNOWN\r\n"), "itself, 15 bytes");
        assert_eq!(said(b"PROXY UNKNOWN whatever it says\r\n"), "itself, 32 bytes");
        assert_eq!(said(b"PROX"), "more");
    }

    #[test]
    fn a_binary_header_says_who_connects() {
        let addresses = v2::IPv4::new([203, 0, 113, 9], [10, 0, 0, 1], 50000, 443);
        let built = |command: Command, protocol: Protocol| {
            Builder::with_addresses(Version::Two | command, protocol, addresses).build().expect("a header")
        };
        let proxied = built(Command::Proxy, Protocol::Stream);
        assert_eq!(said(&[&proxied[..], b"\x16\x03"].concat()), "203.0.113.9, 28 bytes");
        assert_eq!(said(&built(Command::Local, Protocol::Stream)), "itself, 28 bytes");
        assert_eq!(said(&built(Command::Proxy, Protocol::Datagram)), Wrong::Datagram.to_string());
        assert_eq!(said(&proxied[..27]), "more");
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_it_can_be_told() {
        assert_eq!(said(b"G"), Wrong::Missing.to_string());
        assert_eq!(said(b"PROXY "), "more");
        assert_eq!(said(&[b"PROXY ", &[b'x'; 101][..]].concat()), Wrong::TooLong(LINE).to_string());
        assert_eq!(said(&[SIGNATURE, b"\x21\x11\xff\xff"].concat()), Wrong::TooLong(LONGEST).to_string());
        for wrong in
            ["PROXY TCP4 1.2.3.4\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY \r\n"]
        {
            assert!(said(wrong.as_bytes()).starts_with("its PROXY header is wrong"), "{wrong:?}");
        }
    }

    /// Bytes that are mostly near a header.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300);
        let line = "PROXY (TCP4|TCP6|UNKNOWN|TCP9)[ 0-9a-f.:]{0,110}(\r\n|\n|\r)";
        let binary = (any::<[u8; 2]>(), prop_oneof![0_u16..64, any::<u16>()], bytes());
        let binary = binary.prop_map(|(kind, length, rest)| [SIGNATURE, &kind, &length.to_be_bytes(), &rest].concat());
        prop_oneof![bytes(), (line, bytes()).prop_map(|(line, rest)| [line.as_bytes(), &rest].concat()), binary]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn hostile_bytes_are_judged_within_bounds_however_they_come(bytes in hostile()) {
            let mut first = None;
            for end in 0..=bytes.len() {
                match header(&bytes[..end]) {
                    Ok(None) => prop_assert!(end < LONGEST),
                    other => {
                        first = Some((end, other.map_err(|wrong| wrong.to_string())));
                        break;
                    }
                }
            }
            if let Some((end, judged)) = first {
                if let Ok(Some(header)) = &judged {
                    prop_assert_eq!(header.length, end);
                }
                // What comes behind it changes nothing.
                let at_once = header(&bytes).map_err(|wrong| wrong.to_string());
                prop_assert_eq!(judged, at_once);
            }
        }
    }
}
