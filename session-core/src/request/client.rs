//! Who is asking: the address and the browser, for lists of devices and for the audit log.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use super::login::checked_prefix;
use super::{Headers, RequestHead, single};
use crate::error::ConfigError;
use crate::few::Few;

const MAX_USER_AGENT: usize = 256;
/// Every kept byte of a User-Agent comes from so many of what was sent.
const MAX_SCANNED: usize = 1024;

/// How much of a client's address is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAddress {
    /// All of it.
    #[default]
    Full,
    /// The network that it is in: /24 of IPv4, /48 of IPv6; the rest is zero.
    Truncated,
    /// Nothing.
    None,
}

impl ClientAddress {
    pub(super) fn of(self, address: IpAddr) -> Option<IpAddr> {
        match (self, address) {
            (Self::Full, address) => Some(address),
            (Self::None, _) => None,
            (Self::Truncated, IpAddr::V4(address)) => {
                Some((address & Ipv4Addr::new(255, 255, 255, 0)).into())
            }
            (Self::Truncated, IpAddr::V6(address)) => {
                Some((address & Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0, 0, 0, 0, 0)).into())
            }
        }
    }
}

/// The proxies whose word on the client's address counts. Default: none.
///
/// The address is the connection's peer. Only when that is one of these proxies, one header is read, from the right:
/// the first address that is no trusted proxy is the client.
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: &'static str,
    prefix_header: Option<&'static str>,
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self { networks: Vec::new(), header: "x-forwarded-for", prefix_header: None }
    }
}

impl TrustedProxies {
    /// Trusts these networks (`10.0.0.0/8`) and addresses (`192.0.2.1`).
    ///
    /// # Errors
    /// Names the one that is neither, or that holds every address there is.
    pub fn new(networks: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ConfigError> {
        let networks = networks.into_iter().map(|network| parse_network(network.as_ref()));
        Ok(Self { networks: networks.collect::<Result<_, _>>()?, ..Self::default() })
    }

    /// The header that these proxies write: a list of addresses, each with or without a port. Default
    /// `x-forwarded-for`. Make sure that the outermost proxy replaces or extends what the client sent.
    ///
    /// # Errors
    /// When the name is not in lower case, so that it would match nothing, or when it is `forwarded`, whose syntax
    /// (RFC 7239) is another.
    pub fn header(mut self, name: &'static str) -> Result<Self, ConfigError> {
        check_header_name(name)?;
        if name == "forwarded" {
            return Err(ConfigError::new(
                "the header forwarded is not a list of addresses: let the proxy write x-forwarded-for",
            ));
        }
        self.header = name;
        Ok(self)
    }

    /// The header in which these proxies tell the path that they have taken off, such as `x-forwarded-prefix`: it takes
    /// the place of [`public_prefix`](crate::SessionManagerBuilder::public_prefix). Default: none is read.
    ///
    /// Read only when the connection's peer is one of these proxies. What is no plain path (`/rust`), or comes twice with
    /// different values, is ignored. Make sure that the proxy replaces what the client sent: a client that could write
    /// it would send itself to a login page that is not there, and nowhere else.
    ///
    /// # Errors
    /// When the name is not in lower case, so that it would match nothing.
    pub fn prefix_header(mut self, name: &'static str) -> Result<Self, ConfigError> {
        check_header_name(name)?;
        self.prefix_header = Some(name);
        Ok(self)
    }

    /// The prefix that the proxy before us names.
    pub(crate) fn prefix<'a>(&self, head: &'a impl RequestHead) -> Option<&'a str> {
        let name = self.prefix_header?;
        if !self.trusts(unmapped(head.peer()?)) {
            return None;
        }
        let value = single(head.header(name)).ok().flatten()?;
        checked_prefix(std::str::from_utf8(value).ok()?)
    }

    /// The client's address.
    pub(crate) fn client(&self, head: &impl RequestHead) -> Option<IpAddr> {
        let peer = unmapped(head.peer()?);
        Some(if self.trusts(peer) { self.forwarded(head).unwrap_or(peer) } else { peer })
    }

    /// The last entry that is no proxy of ours, or the first proxy where there are only proxies. Each entry was written by
    /// whoever stands right of it, so what stands left of a stranger, or of nonsense, is that stranger's word.
    fn forwarded(&self, head: &impl RequestHead) -> Option<IpAddr> {
        let mut client = None;
        for entry in head.header(self.header).flat_map(|line| line.split(|&byte| byte == b',')) {
            let address = parse_address(entry);
            let is_proxy = address.is_some_and(|address| self.trusts(address));
            client = if is_proxy { client.or(address) } else { address };
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

fn check_header_name(name: &str) -> Result<(), ConfigError> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_good) {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "{name:?} is no header name: write it in lower case, as in x-forwarded-for"
    )))
}

fn parse_network(text: &str) -> Result<IpNet, ConfigError> {
    let network =
        text.parse::<IpNet>().or_else(|error| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| error));
    let network = network.map(unmapped_network).map_err(|error| {
        ConfigError::new(format!(
            "{text:?} is neither an address nor a network: write 192.0.2.1 or 192.0.2.0/24"
        ))
        .with_source(error)
    })?;
    match network.prefix_len() {
        0 => Err(ConfigError::new(format!(
            "{text:?} holds every address, so that clients could claim any: name the networks of your proxies"
        ))),
        _ => Ok(network),
    }
}

/// A network of mapped addresses (`::ffff:192.0.2.0/120`) is the network that they stand for.
fn unmapped_network(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let address = mapped.network().to_ipv4_mapped();
    let prefix = mapped.prefix_len().checked_sub(96);
    let unmapped = address.zip(prefix).and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    unmapped.map_or(network, IpNet::V4)
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

/// The browser, as it says itself. Few requests need to know, so it is cleaned for those who ask; as long as browsers
/// make it, keeping it allocates nothing.
#[derive(Default)]
pub(crate) struct UserAgent(Few<u8, 160>);

impl UserAgent {
    pub(super) fn of(head: &impl Headers) -> Self {
        let sent = head.header("user-agent").next().unwrap_or_default();
        Self(Few::from_slice(sent.get(..MAX_SCANNED).unwrap_or(sent)))
    }

    /// At most 256 bytes, without anything that could change how a log or a page shows what is around it.
    pub(crate) fn text(&self) -> Option<String> {
        let kept = self.0.get(..MAX_USER_AGENT).unwrap_or(&self.0);
        // As every browser sends it: then each byte is a character that is kept.
        if kept.iter().fold(!kept.is_empty(), |plain, byte| plain & matches!(byte, 0x20..=0x7e)) {
            return std::str::from_utf8(kept).ok().map(str::to_owned);
        }
        let mut text = String::with_capacity(self.0.len().min(MAX_USER_AGENT));
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars().filter(|&character| is_plain(character)) {
                if text.len() + character.len_utf8() > MAX_USER_AGENT {
                    return Some(text);
                }
                text.push(character);
            }
        }
        (!text.is_empty()).then_some(text)
    }
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
    fn a_mapped_network_is_the_one_that_it_stands_for() {
        for network in ["::ffff:10.0.0.0/104", "::ffff:10.1.2.3", "10.1.2.3/8"] {
            let proxies = TrustedProxies::new([network]).unwrap();
            let request = TestRequest::new("GET", "/").from_peer("10.1.2.3".parse().unwrap());
            let client = proxies.client(&request.header("x-forwarded-for", "203.0.113.9"));
            assert_eq!(client, "203.0.113.9".parse().ok(), "{network}");
        }
    }

    #[test]
    fn only_the_configured_header_is_read() {
        let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().header("x-real-ip").unwrap();
        let request = TestRequest::new("GET", "/").from_peer("10.1.2.3".parse().unwrap());
        let request = request.header("x-forwarded-for", "1.1.1.1").header("x-real-ip", "2.2.2.2");
        assert_eq!(proxies.client(&request), "2.2.2.2".parse().ok());
    }

    #[test]
    fn a_prefix_is_what_one_trusted_proxy_says_in_plain_segments() {
        let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
        let told = |proxies: &TrustedProxies, peer: &str, lines: &[&str]| {
            let request = TestRequest::new("GET", "/").from_peer(peer.parse().unwrap());
            let request =
                lines.iter().fold(request, |request, line| request.header("x-forwarded-prefix", line));
            proxies.prefix(&request).map(str::to_owned)
        };
        assert_eq!(told(&proxies, "10.1.2.3", &["/rust"]), None, "not before it is asked for");
        let proxies = proxies.prefix_header("x-forwarded-prefix").unwrap();
        assert_eq!(told(&proxies, "10.1.2.3", &["/rust/"]).as_deref(), Some("/rust"));
        assert_eq!(told(&proxies, "::ffff:10.1.2.3", &["/rust", "/rust"]).as_deref(), Some("/rust"));
        assert_eq!(told(&proxies, "10.1.2.3", &["/"]).as_deref(), Some(""));
        assert_eq!(told(&proxies, "203.0.113.9", &["/rust"]), None, "a stranger");
        for lines in [&[][..], &["/a", "/b"], &["/a, /b"], &["//evil"], &["/\\evil"], &["https://evil"]] {
            assert_eq!(told(&proxies, "10.1.2.3", lines), None, "{lines:?}");
        }
    }

    #[test]
    fn without_a_peer_there_is_no_address() {
        let request = TestRequest::new("GET", "/").header("x-forwarded-for", "1.1.1.1");
        assert_eq!(TrustedProxies::new(["10.0.0.0/8"]).unwrap().client(&request), None);
    }

    #[test]
    fn what_is_no_network_or_every_network_is_named() {
        for text in ["10.0.0.0/99", "", "proxy.example", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            let error = TrustedProxies::new([text]).map_err(|error| error.to_string());
            assert!(error.is_err_and(|error| error.contains(&format!("{text:?}"))), "{text}");
        }
    }

    #[test]
    fn a_header_name_that_could_not_match_is_refused() {
        for name in ["", "X-Forwarded-For", "x forwarded", "x-forwarded-for:", "forwarded"] {
            assert!(TrustedProxies::default().header(name).is_err(), "{name}");
            assert_eq!(TrustedProxies::default().prefix_header(name).is_err(), name != "forwarded", "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_header_is_read_as_if_from_the_right(lines in prop::collection::vec(forwarded_line(), 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(client("10.1.2.3", &lines), model("10.1.2.3", &lines.join(",")));
        }
    }

    fn forwarded_line() -> impl Strategy<Value = String> {
        let entry =
            prop::sample::select(vec!["10.0.0.1", "192.0.2.1", "203.0.113.9", "2001:db8::1", "nonsense", ""]);
        prop::collection::vec(entry, 1..6).prop_map(|entries| entries.join(", "))
    }

    fn model(peer: &str, entries: &str) -> String {
        let mut client = peer.to_owned();
        for entry in entries.rsplit(',').map(str::trim) {
            if entry.parse::<IpAddr>().is_err() || !["10.", "192."].iter().any(|own| client.starts_with(own))
            {
                break;
            }
            client = entry.to_owned();
        }
        client
    }

    fn agent(value: &[u8]) -> Option<String> {
        UserAgent::of(&TestRequest::new("GET", "/").header("user-agent", value)).text()
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

    #[test]
    fn of_a_long_user_agent_only_the_beginning_is_looked_at() {
        let hidden = [&[0; MAX_SCANNED][..], b"browser"].concat();
        assert_eq!(agent(&hidden), None);
    }

    proptest! {
        #[test]
        fn any_user_agent_is_short_and_plain(value in prop::collection::vec(any::<u8>(), 0..2000)) {
            if let Some(text) = agent(&value) {
                prop_assert!(text.len() <= 256 && !text.is_empty() && text.chars().all(is_plain));
            }
        }

        #[test]
        fn a_short_user_agent_loses_nothing_but_what_is_not_plain(value in any::<String>()) {
            let plain: String = value.chars().filter(|&character| is_plain(character)).collect();
            prop_assume!(value.len() <= 256);
            prop_assert_eq!(agent(value.as_bytes()).unwrap_or_default(), plain);
        }
    }
}
