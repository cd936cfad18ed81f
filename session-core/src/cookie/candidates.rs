//! Finding the cookie: the raw bytes of the Cookie lines, because frameworks' jars disagree on duplicates, quotes
//! and bytes beyond ASCII.

use memchr::memchr_iter;

use super::MAX_SIZE;
use super::companion::Finder;
use crate::few::Few;
use crate::request::RequestHead;

/// So many cookies of our name are tried; more is no browser's doing.
const MOST: usize = 16;

/// The values of the cookies with our name, in the order of arrival. No `Debug`: these are tokens.
#[derive(Default)]
pub(crate) struct Candidates<'a>(Few<&'a [u8], 2>);

impl<'a> Candidates<'a> {
    /// Reads the Cookie lines (HTTP/2 may split them, RFC 9113 section 8.2.3). Linear in their length, and done
    /// after [`MOST`] finds. A value longer than any cookie of ours is left out. `others` sees the cookies with other
    /// names.
    pub(crate) fn from_head(head: &'a impl RequestHead, name: &str, others: &mut Finder<'_, 'a>) -> Self {
        let (mut found, mut has_lines) = (Self::default(), false);
        for line in head.header("cookie") {
            has_lines = true;
            for pair in pairs(line) {
                match value_of(pair, name.as_bytes()) {
                    Some(value) => found.keep(value),
                    None => others.pair(pair),
                }
                if found.0.len() == MOST {
                    return found;
                }
            }
        }
        if !has_lines {
            found.keep_of_jar(head, name, others);
        }
        found
    }

    fn keep_of_jar(&mut self, head: &'a impl RequestHead, name: &str, others: &mut Finder<'_, 'a>) {
        // A cookie that was cleared may stay in a jar, empty.
        let ours = head.jar().filter(|(known, value)| *known == name && !value.is_empty());
        ours.take(MOST).for_each(|(_, value)| self.keep(value.as_bytes()));
        head.jar().for_each(|(name, value)| others.cookie(name, value));
    }

    fn keep(&mut self, value: &'a [u8]) {
        if value.len() <= MAX_SIZE {
            self.0.push(value);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().copied()
    }
}

/// What stands between the semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b';', line).chain([line.len()]).filter_map(move |end| {
        let pair = line.get(start..end);
        start = end + 1;
        pair
    })
}

/// The value, if the pair has our name: exactly, case and all (RFC 6265 section 4.2.2).
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = pair.trim_ascii_start().strip_prefix(name)?;
    Some(rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::request::Headers;
    use crate::testing::TestRequest;

    fn found(lines: &[&[u8]]) -> Vec<Vec<u8>> {
        let request =
            lines.iter().fold(TestRequest::new("GET", "/"), |request, line| request.header("cookie", line));
        Candidates::from_head(&request, "sid", &mut Finder::new("none-")).iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn finds_ours_among_others() {
        assert_eq!(found(&[b"a=1; sid=token; b=2"]), [b"token".to_vec()]);
        assert_eq!(found(&[b"a=1;sid=token"]), [b"token".to_vec()]);
        assert_eq!(found(&[b"  sid = token  "]), [b"token".to_vec()]);
        assert!(found(&[]).is_empty());
    }

    #[test]
    fn names_compare_exactly() {
        assert!(found(&[b"SID=a; sid2=b; xsid=c; si=d; sid; =sid; \"sid\"=e"]).is_empty());
    }

    #[test]
    fn duplicates_are_kept_in_order_over_all_lines() {
        assert_eq!(found(&[b"sid=bad; x=1; sid=good", b"sid=third"]), [&b"bad"[..], b"good", b"third"]);
    }

    #[test]
    fn bytes_beyond_ascii_in_a_neighbour_hide_nothing() {
        assert_eq!(found(&[b"n=caf\xe9; sid=token; m=\xff\xfe"]), [b"token".to_vec()]);
    }

    #[test]
    fn quotes_belong_to_the_value() {
        assert_eq!(found(&[b"sid=\"token\""]), [b"\"token\"".to_vec()]);
    }

    #[test]
    fn an_equals_sign_in_the_value_belongs_to_it() {
        assert_eq!(found(&[b"sid=a=b"]), [b"a=b".to_vec()]);
    }

    #[test]
    fn of_a_thousand_of_our_name_sixteen_are_tried() {
        let line = "sid=x; ".repeat(1000);
        assert_eq!(found(&[line.as_bytes()]).len(), MOST);
    }

    /// Cookie lines, and what a framework keeps beside them.
    struct Kept<L> {
        lines: L,
        jar: &'static [(&'static str, &'static str)],
    }

    impl<L: Iterator<Item = &'static [u8]> + Clone> Headers for Kept<L> {
        fn header<'a>(&'a self, _name: &'static str) -> impl Iterator<Item = &'a [u8]> {
            self.lines.clone().map(|line| -> &[u8] { line })
        }
    }

    impl<L: Iterator<Item = &'static [u8]> + Clone> RequestHead for Kept<L> {
        fn method(&self) -> &str {
            "GET"
        }

        fn target(&self) -> &str {
            "/"
        }

        fn authority(&self) -> Option<&str> {
            None
        }

        fn peer(&self) -> Option<IpAddr> {
            None
        }

        fn jar(&self) -> impl Iterator<Item = (&str, &str)> {
            self.jar.iter().copied()
        }
    }

    #[test]
    fn after_sixteen_nothing_more_is_read() {
        let endless = Kept { lines: std::iter::repeat(&b"sid=x"[..]), jar: &[] };
        assert_eq!(Candidates::from_head(&endless, "sid", &mut Finder::new("none-")).iter().count(), MOST);
    }

    #[test]
    fn a_jar_is_read_where_there_is_no_line() {
        let jar = &[("sid", ""), ("side", "a"), ("sid", "token; sid=forged")];
        let kept = Kept { lines: std::iter::empty(), jar };
        let found = Candidates::from_head(&kept, "sid", &mut Finder::new("none-"));
        assert_eq!(found.iter().collect::<Vec<_>>(), [b"token; sid=forged"]);
        let line = Kept { lines: std::iter::once(&b"other=x"[..]), jar };
        assert_eq!(Candidates::from_head(&line, "sid", &mut Finder::new("none-")).iter().count(), 0);
    }

    #[test]
    fn sixteen_values_of_full_length_come_back_whole() {
        let line = format!("sid={}; ", "x".repeat(MAX_SIZE)).repeat(MOST + 1);
        let values = found(&[line.as_bytes()]);
        assert_eq!(values.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_SIZE; MOST]);
    }

    #[test]
    fn among_ten_thousand_neighbours_ours_is_found() {
        let line = "n=x; ".repeat(10_000) + "sid=token";
        assert_eq!(found(&[line.as_bytes()]), [b"token".to_vec()]);
    }

    #[test]
    fn a_value_longer_than_any_cookie_is_left_out_and_the_next_one_found() {
        let line = format!("sid={}; sid=token", "x".repeat(64 * 1024));
        assert_eq!(found(&[line.as_bytes()]), [b"token".to_vec()]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_like_the_plain_model(lines in prop::collection::vec(cookie_line(), 0..4)) {
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(found(&lines), model(&lines));
        }

        #[test]
        fn a_planted_cookie_is_found_among_any_neighbours(before in cookie_line(), after in cookie_line()) {
            // What else has our name is read, too, so less than sixteen stand before it.
            let line = [&before[..], b"; sid=planted; ", &after[..]].concat();
            prop_assert!(found(&[&line]).contains(&b"planted".to_vec()));
        }
    }

    /// Random bytes, rich in what matters.
    fn cookie_line() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"sid=".to_vec()),
            Just(b"; ".to_vec()),
            Just(b"=".to_vec()),
            Just(b" \t".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn model(lines: &[&[u8]]) -> Vec<Vec<u8>> {
        let pairs = lines.iter().flat_map(|line| line.split(|&byte| byte == b';'));
        let named = pairs.filter_map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let (name, value) = pair.split_at(equals);
            (name.trim_ascii() == b"sid").then(|| value[1..].trim_ascii().to_vec())
        });
        named.take(MOST).collect()
    }
}
