//! IP addresses and ranges of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest text that is read as an address of version 4.
const LONGEST_V4: usize = 15;

/// The address that a text writes, if it is one. Zeros may lead, and an
/// address of version 4 written as one of version 6 (`::ffff:…`) is of
/// version 4, as Java reads them, where EventBridge reads its events.
pub(crate) fn parse(text: &[u8]) -> Option<IpAddr> {
    // Nearly every text is none, and its first byte tells.
    if !matches!(text.first()?, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':') {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if text.contains(':') {
        version_6(text)
    } else {
        version_4(text).map(IpAddr::V4)
    }
}

fn version_4(text: &str) -> Option<Ipv4Addr> {
    if text.len() > LONGEST_V4 {
        return None;
    }
    let mut parts = text.split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u8>().ok()).flatten()
    });
    let address = Ipv4Addr::new(
        parts.next()??,
        parts.next()??,
        parts.next()??,
        parts.next()??,
    );
    parts.next().is_none().then_some(address)
}

fn version_6(text: &str) -> Option<IpAddr> {
    if !text
        .bytes()
        .all(|byte| byte == b':' || byte.is_ascii_hexdigit())
    {
        return None;
    }
    let long = text.split(':').any(|group| group.len() > 4);
    let address: Ipv6Addr = if long {
        let groups: Vec<&str> = text
            .split(':')
            .map(|group| match group.trim_start_matches('0') {
                "" if !group.is_empty() => "0",
                digits => digits,
            })
            .collect();
        groups.join(":").parse().ok()?
    } else {
        text.parse().ok()?
    };
    Some(IpAddr::V6(address).to_canonical())
}

/// All addresses that begin with the same bits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AddressRange {
    written: Box<str>,
    network: IpAddr,
    bits: u32,
}

/// What is wrong with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressRangeError {
    #[error("it is not an address, `/` and a number of bits")]
    Shape,
    #[error("there is no such address before `/`")]
    Address,
    #[error("the bits are not 0 to {0}")]
    Bits(u32),
}

impl AddressRange {
    pub(crate) fn parse(written: &str) -> Result<Self, AddressRangeError> {
        // Java drops empty parts at the end when it splits.
        let (address, bits) = written
            .trim_end_matches('/')
            .split_once('/')
            .ok_or(AddressRangeError::Shape)?;
        let bits: u32 = bits.parse().map_err(|_| AddressRangeError::Shape)?;
        let address = parse(address.as_bytes()).ok_or(AddressRangeError::Address)?;
        // A range of one address is written as that address.
        let most = if address.is_ipv4() { 31 } else { 127 };
        if bits > most {
            return Err(AddressRangeError::Bits(most));
        }
        Ok(Self {
            written: written.into(),
            network: network(address, bits),
            bits,
        })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.network.is_ipv4() == address.is_ipv4() && network(address, self.bits) == self.network
    }

    /// The first address.
    pub(crate) fn network(&self) -> IpAddr {
        self.network
    }

    /// How many bits all its addresses have in common.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

/// An address with all but its first bits taken away.
pub(crate) fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{AddressRange, AddressRangeError, parse};

    #[test]
    fn one_address_has_many_spellings() {
        let table = [
            ("10.0.0.9", "010.0.000.09"),
            ("10.0.0.9", "::ffff:a00:9"),
            ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1"),
            ("2001:db8::1", "2001:000db8::000001"),
            ("::", "0:0:0:0:0:0:0:0"),
        ];
        for (left, right) in table {
            assert!(parse(left.as_bytes()).is_some(), "{left}");
            assert_eq!(parse(left.as_bytes()), parse(right.as_bytes()), "{right}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_from_one() {
        for text in [
            "",
            "10",
            "10.0.0",
            "10.0.0.0.0",
            "10.0.0.256",
            "10.0.0.+1",
            " 10.0.0.1",
            "0010.0000.000.001",
            "1.2.3.",
            ":",
            "::1%eth0",
            "::1.2.3.4",
            "1::2::3",
            "12345::",
            "face",
            "a.b.c.d",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn ranges_hold_what_begins_alike() {
        let range = AddressRange::parse("10.1.2.200/25").unwrap();
        for (address, expected) in [
            ("10.1.2.128", true),
            ("10.1.2.255", true),
            ("10.1.2.127", false),
            ("::ffff:a01:280", true),
            ("::1", false),
        ] {
            let address_read = parse(address.as_bytes()).unwrap();
            assert_eq!(range.contains(address_read), expected, "{address}");
        }
        let all = AddressRange::parse("::/0").unwrap();
        assert!(all.contains(parse(b"ffff::").unwrap()));
        assert!(!all.contains(parse(b"10.0.0.1").unwrap()));
    }

    #[test]
    fn a_range_of_one_address_is_refused() {
        for (written, error) in [
            ("10.0.0.0/32", AddressRangeError::Bits(31)),
            ("::/128", AddressRangeError::Bits(127)),
            ("10.0.0.0", AddressRangeError::Shape),
            ("10.0.0.0/8/8", AddressRangeError::Shape),
            ("10.0.0.0/-1", AddressRangeError::Shape),
            ("host/8", AddressRangeError::Address),
        ] {
            assert_eq!(AddressRange::parse(written), Err(error), "{written}");
        }
    }
}
