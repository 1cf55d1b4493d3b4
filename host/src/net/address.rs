//! Which addresses are public, and what the others are: pure, so that the guard reads as a table.
//!
//! Where an address comes from (a URL, a name server) is left to the guard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the public internet, looked at through every disguise.
pub fn is_public(address: IpAddr) -> bool {
    not_public(address).is_none()
}

/// What kind of address it is, unless it is public.
pub fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

/// The IANA registry of special-purpose addresses; what is reachable from anywhere is not in the list.
fn v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, d] = address.octets();
    // Azure's inner services: a public address that leads nowhere else, and speaks to every machine there.
    if [a, b, c, d] == [168, 63, 129, 16] {
        return Some("a cloud's own address");
    }
    Some(match (a, b, c) {
        (0, ..) => "an unspecified address",
        (127, ..) => "a loopback address",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (169, 254, _) => "a link-local address",
        (100, 64..=127, _) => "a carrier's private address",
        (192, 0, 0) => "a protocol's own address",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "an address of documentation",
        (192, 88, 99) => "a relay's address",
        (198, 18..=19, _) => "an address for benchmarks",
        (224..=239, ..) => "a multicast address",
        (240..=255, ..) => "a reserved or broadcast address",
        _ => return None,
    })
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("an unspecified address");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if let Some(inside) = disguised(address) {
        return v4(inside);
    }
    Some(match address.segments() {
        [0xff00..=0xffff, ..] => "a multicast address",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a private address",
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => "an address of documentation",
        // Teredo (an address of any kind, obfuscated), benchmarks, ORCHID.
        [0x2001, 0..=0x01ff, ..] => "a protocol's own address",
        // The local-use translation prefix, whose layout is the operator's choice.
        [0x0064, 0xff9b, 1, ..] => "a private address",
        // Only 2000::/3 is given out to the public.
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}

/// The IPv4 address that a connection to this one ends at: mapped, compatible, SIIT, NAT64, 6to4.
fn disguised(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn not_public_of(text: &str) -> Option<&'static str> {
        not_public(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_pass() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(not_public_of(text), None, "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_kind() {
        for (text, kind) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.1", "carrier"),
            ("100.127.255.255", "carrier"),
            ("127.0.0.1", "loopback"),
            ("127.8.8.8", "loopback"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "protocol"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "relay"),
            ("192.168.1.1", "private"),
            ("198.18.0.1", "benchmarks"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.9", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.250", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("fc00::1", "private"),
            ("fd12:3456::1", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "private"),
            ("ff02::1", "multicast"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("2001::1", "protocol"),
            ("64:ff9b:1::1", "private"),
            ("100::1", "reserved"),
            ("5f00::1", "reserved"),
        ] {
            let found = not_public_of(text).unwrap_or("public");
            assert!(found.contains(kind), "{text} is {found}, not {kind}");
        }
    }

    #[test]
    fn an_ipv4_address_in_disguise_is_seen_through() {
        for text in [
            "::ffff:127.0.0.1",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::",
            "2002:7f00:1:1234::5",
        ] {
            assert_eq!(not_public_of(text), Some("a loopback address"), "{text}");
        }
        assert_eq!(not_public_of("::ffff:169.254.169.254"), Some("a link-local address"));
        assert_eq!(not_public_of("64:ff9b::a00:1"), Some("a private address"));
    }

    #[test]
    fn what_clouds_tell_their_machines_is_out_of_reach() {
        for text in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.169.123",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
            "::ffff:168.63.129.16",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(not_public_of(text).is_some(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_disguise_changes_nothing(bits: u32, more: u64) {
            let inside = Ipv4Addr::from(bits);
            let (bits, more) = (u128::from(bits), u128::from(more));
            let nat64 = 0x64_ff9b << 96;
            for disguised in [bits | 0xffff << 32, bits | 0xffff << 48, bits | nat64, 0x2002 << 112 | bits << 80 | more] {
                let address = Ipv6Addr::from_bits(disguised);
                prop_assert_eq!(not_public(address.into()), not_public(inside.into()), "{}", address);
            }
            // The old form has no room for the two addresses that are IPv6's own.
            if bits > 1 {
                prop_assert_eq!(not_public(Ipv6Addr::from_bits(bits).into()), not_public(inside.into()));
            }
        }

        #[test]
        fn tunnels_and_what_was_never_given_out_are_refused(bits: u128) {
            for (prefix, length) in [
                (0x2001_u128 << 112, 32), (0x64_ff9b_0001 << 80, 48), (0xfc << 120, 7), (0xfe80 << 112, 10), (0xff << 120, 8),
                (0x4000 << 112, 2), (0x8000 << 112, 1), (0x0400 << 112, 6),
            ] {
                let address = Ipv6Addr::from_bits(prefix | bits >> length);
                prop_assert!(!is_public(address.into()), "{}", address);
            }
        }
    }
}
