//! Ranges of IP addresses, such as `10.0.0.0/8`.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of IP addresses in CIDR notation (RFC 4632), such as `10.0.0.0/8`, `fd00::/8` or `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpRange {
    first: IpAddr,
    prefix: u8,
}

/// A text is not a range of IP addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of IP addresses; write `10.0.0.0/8`, `fd00::/8` or `127.0.0.1`")]
pub struct IpRangeError(String);

impl IpRange {
    /// Whether an address is in the range. An IPv4 address counts as such also when it is written as IPv6,
    /// as sockets that take both write it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let masked = |address: IpAddr| match address {
            IpAddr::V4(v4) => mask(u128::from(u32::from(v4)), 32, self.prefix),
            IpAddr::V6(v6) => mask(u128::from(v6), 128, self.prefix),
        };
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address) == masked(self.first)
    }
}

fn mask(address: u128, bits: u8, prefix: u8) -> u128 {
    address.checked_shr(u32::from(bits - prefix)).unwrap_or(0)
}

impl FromStr for IpRange {
    type Err = IpRangeError;

    fn from_str(text: &str) -> Result<Self, IpRangeError> {
        let wrong = || IpRangeError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `parse` would take a sign.
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None => most,
        };
        if prefix > most { Err(wrong()) } else { Ok(Self { first, prefix }) }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(range: &str, address: &str) -> bool {
        range.parse::<IpRange>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_what_begins_alike() {
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.9.9.9/8", "10.0.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(holds("0.0.0.0/0", "192.0.2.1") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("::1", "::1"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in ["", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0.0/8", "a", "/8"]
        {
            let error = bad.parse::<IpRange>().unwrap_err();
            assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
        }
    }
}
