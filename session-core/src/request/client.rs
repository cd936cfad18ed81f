//! Who is asking: the address and the browser, for lists of devices and for the audit log.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{Headers, RequestHead};
use crate::ConfigError;

const MAX_USER_AGENT: usize = 256;
/// Every kept byte of a User-Agent comes from so many of what was sent.
const MAX_SCANNED: usize = 1024;

/// The proxies whose word on the client's address counts. Default: none.
///
/// The address is the connection's peer. Only when that is one of these proxies, one header is read, from the right:
/// the first address that is no trusted proxy is the client.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: &'static str,
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self { networks: Vec::new(), header: "x-forwarded-for" }
    }
}

impl TrustedProxies {
    /// Trusts these networks (`10.0.0.0/8`) and addresses (`192.0.2.1`).
    ///
    /// # Errors
    /// Names the one that is neither.
    pub fn new(networks: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ConfigError> {
        let networks = networks.into_iter().map(|network| parse_network(network.as_ref()));
        Ok(Self { networks: networks.collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// The header that these proxies write, in lower case. Default `x-forwarded-for`. Make sure that they replace or
    /// extend what the client sent.
    #[must_use]
    pub fn header(mut self, name: &'static str) -> Self {
        self.header = name;
        self
    }

    /// The client's address.
    pub(crate) fn client(&self, head: &impl RequestHead) -> Option<IpAddr> {
        let mut client = unmapped(head.peer()?);
        if !self.trusts(client) {
            return Some(client);
        }
        let lines: Vec<&[u8]> = head.header(self.header).collect();
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b',')) {
            // What stands left of nonsense was not written by a proxy of ours.
            let Some(address) = parse_address(entry) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

fn parse_network(text: &str) -> Result<IpNet, ConfigError> {
    let network =
        text.parse::<IpNet>().or_else(|error| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| error));
    network.map_err(|error| {
        ConfigError::new(format!(
            "{text:?} is neither an address nor a network: write 192.0.2.1 or 192.0.2.0/24"
        ))
        .with_source(error)
    })
}

/// An address, with or without a port.
fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.or_else(|| bracketed?.parse().ok()).map(unmapped)
}

/// `::ffff:192.0.2.1` is `192.0.2.1` (RFC 4291 section 2.5.5.2).
fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The browser, as it says itself: at most 256 bytes, without anything that could change how a log or a page shows
/// what is around it.
pub(crate) fn user_agent(head: &impl Headers) -> Option<String> {
    let value = head.header("user-agent").next()?;
    let scanned = value.get(..MAX_SCANNED).unwrap_or(value);
    let mut text = String::with_capacity(scanned.len().min(MAX_USER_AGENT));
    for chunk in scanned.utf8_chunks() {
        for character in chunk.valid().chars().filter(|&character| is_plain(character)) {
            if text.len() + character.len_utf8() > MAX_USER_AGENT {
                return Some(text);
            }
            text.push(character);
        }
    }
    (!text.is_empty()).then_some(text)
}

/// No control characters, no line or paragraph separators, none that change the direction of text (UAX 9).
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::TestRequest;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "192.0.2.1", "fd00::/8"]).unwrap();
        let request = TestRequest::new("GET", "/").from_peer(peer.parse().unwrap());
        let request = forwarded.iter().fold(request, |request, line| request.header("x-forwarded-for", line));
        proxies.client(&request).map(|ip| ip.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_header_from_a_stranger_is_ignored() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_stranger_is_the_client() {
        assert_eq!(client("10.1.2.3", &["6.6.6.6, 203.0.113.9, 192.0.2.1"]), "203.0.113.9");
        assert_eq!(client("10.1.2.3", &["6.6.6.6", "203.0.113.9", "10.9.9.9"]), "203.0.113.9");
    }

    #[test]
    fn only_proxies_all_the_way_gives_the_leftmost() {
        assert_eq!(client("10.1.2.3", &["10.0.0.1, 10.0.0.2"]), "10.0.0.1");
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn nonsense_ends_the_search() {
        assert_eq!(client("10.1.2.3", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.1.2.3", &["203.0.113.9,"]), "10.1.2.3");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_unwrapped() {
        assert_eq!(client("10.1.2.3", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("10.1.2.3", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("10.1.2.3", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client("::ffff:10.1.2.3", &["::ffff:203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn what_is_no_network_is_named() {
        let error = TrustedProxies::new(["10.0.0.0/99"]).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("10.0.0.0/99")));
    }

    fn agent(value: &[u8]) -> Option<String> {
        user_agent(&TestRequest::new("GET", "/").header("user-agent", value))
    }

    #[test]
    fn a_user_agent_is_cleaned_and_cut() {
        assert_eq!(agent("a\u{202e}b\u{2028}c\r\nd\u{0}e\u{200f}".as_bytes()).as_deref(), Some("abcde"));
        assert_eq!(agent(b"a\xff\xfeb").as_deref(), Some("ab"));
        assert_eq!(agent(&[b'x'; 60_000]).map(|text| text.len()), Some(256));
        assert_eq!(agent("é".repeat(200).as_bytes()).map(|text| text.len()), Some(256));
        assert_eq!(agent(b"\x00\x01"), None);
        assert_eq!(agent(b""), None);
    }

    proptest! {
        #[test]
        fn any_user_agent_is_short_and_plain(value in prop::collection::vec(any::<u8>(), 0..2000)) {
            if let Some(text) = agent(&value) {
                prop_assert!(text.len() <= 256 && !text.is_empty() && text.chars().all(is_plain));
            }
        }
    }
}
