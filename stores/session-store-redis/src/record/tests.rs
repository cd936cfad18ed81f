use proptest::prelude::*;

use super::*;

fn times() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.unix_seconds()).prop_map(Timestamp::from_unix_seconds)
}

prop_compose! {
    fn records()(
        (subject, user_agent) in (prop::option::of(".{1,60}"), prop::option::of(".{0,80}")),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        (version, generation) in (any::<u64>(), any::<u64>()),
        (authenticated_at, last_seen, issued_at) in (times(), times(), times()),
        (expires_at, ends_at, first_used_at) in (times(), times(), prop::option::of(times())),
        ip_address in prop::option::of(any::<IpAddr>()),
        terms in prop::option::weighted(0.3, prop::collection::vec(any::<u8>(), 0..40)),
        uncounted in prop::bool::weighted(0.3),
    ) -> SessionRecord {
        SessionRecord::new(SessionId::from_bytes([7; 18]), payload, authenticated_at, expires_at).with(|record| {
            record.subject = subject;
            record.version = version;
            record.last_seen = last_seen;
            record.generation = generation;
            record.issued_at = issued_at;
            record.first_used_at = first_used_at;
            record.ends_at = ends_at;
            record.user_agent = user_agent;
            record.ip_address = ip_address;
            record.terms = terms.map(|bytes| Arc::new(Terms::from_bytes(&bytes)));
            record.uncounted = uncounted;
        })
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in records()) {
        let bytes = encode(&record).unwrap();
        prop_assert_eq!(decode(record.id, &bytes).unwrap(), record.clone());
        prop_assert!(is_of(&[0; 4], &bytes) && !is_of(&[1; 4], &bytes));
    }

    #[test]
    fn garbage_is_an_error_or_a_record(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let id = SessionId::from_bytes([7; 18]);
        let _ = decode(id, &bytes);
        let _ = decode(id, &[&[PLAIN], bytes.as_slice()].concat());
        let _ = decode(id, &[&[MARKED], bytes.as_slice()].concat());
    }

    #[test]
    fn a_cut_record_is_an_error(record in records(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&record).unwrap();
        let header = bytes.len() - record.payload.len();
        prop_assert!(decode(record.id, &bytes[..cut.index(header)]).is_err());
    }
}

proptest! {
    #[test]
    fn a_subject_within_the_payload_is_written_once(
        record in records(),
        subject in ".{1,60}",
        (before, after) in (prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let payload = [&before[..], subject.as_bytes(), &after].concat();
        let guest = record.with(|record| {
            record.subject = None;
            record.payload = payload;
        });
        let once = guest.clone().with(|record| record.subject = Some(subject));
        let bytes = encode(&once).unwrap();
        let longer = bytes.len() - encode(&guest).unwrap().len();
        prop_assert_eq!(longer, usize::from(place_in(&once.payload, once.subject.as_deref().unwrap()) > 127));
        prop_assert_eq!(decode(once.id, &bytes).unwrap(), once);
    }
}

#[test]
fn a_subject_far_from_the_end_is_written_apart() {
    let far = [b"ann".as_slice(), &[b' '; 70_000]].concat();
    assert_eq!(place_in(&far, "ann"), 0);
    assert_eq!(place_in(&far[..32_768], "ann"), 0);
    assert_eq!(place_in(&far[..32_767], "ann"), 32_767);
    assert_eq!(place_in(b"ann", "bob"), 0);
    assert_eq!(place_in(b"", "bob"), 0);
}

#[test]
fn a_later_layout_is_told_apart_from_damage() {
    let error = decode(SessionId::from_bytes([7; 18]), &[9; 60]).unwrap_err();
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("layout 9"), "{error}");
}

#[test]
fn a_subject_has_a_length() {
    for length in [0, 256] {
        assert!(subject_len(Some(&"x".repeat(length))).is_err_and(|error| !error.is_retryable()));
    }
    assert!(subject_len(Some(&"x".repeat(255))).is_ok());
}

#[test]
fn a_subject_anywhere_in_a_long_payload_is_found_again() {
    for before in [0, 100, 125, 126, 127, 128, 255, 256, 1_000, 40_000] {
        let payload = [b"x".as_slice(), b"ann", &vec![b' '; before]].concat();
        let at = Timestamp::from_unix_seconds(1_000);
        let record = SessionRecord::new(SessionId::from_bytes([9; 18]), payload, at, at)
            .with(|record| record.subject = Some("ann".to_owned()));
        assert_eq!(decode(record.id, &encode(&record).unwrap()).unwrap(), record);
    }
}

#[test]
fn a_plain_session_is_written_so_and_one_with_terms_in_a_layout_of_its_own() {
    let at = Timestamp::from_unix_seconds;
    let id = SessionId::from_bytes([9; 18]);
    let plain = SessionRecord::new(id, br#"{"id":"ann"}"#.to_vec(), at(1_000), at(2_000)).with(|record| {
        record.subject = Some("ann".to_owned());
        record.version = 3;
        record.last_seen = at(1_010);
    });
    let bytes = encode(&plain).unwrap();
    // 1,000 is 7 * 128 + 104, and the distance of 1,000 twice as much.
    let mut expected = vec![1, 0, 0, 0, 0, 3, 5, 3, 104 | 0x80, 7, 20, 80 | 0x80, 15, 0, 0, 1, 0, 0];
    expected.splice(14..14, [0]);
    expected.extend_from_slice(br#"{"id":"ann"}"#);
    assert_eq!(bytes, expected);
    assert_eq!(decode(id, &bytes).unwrap(), plain);

    let uncounted = plain.with(|record| {
        record.uncounted = true;
        record.terms = Some(Arc::new(Terms::from_bytes(br#"{"v":1,"acr":0}"#)));
    });
    let bytes = encode(&uncounted).unwrap();
    assert_eq!((bytes[0], bytes[14], bytes.len()), (2, 1, expected.len() + 2 + 15));
    assert_eq!(decode(id, &bytes).unwrap(), uncounted);
}
