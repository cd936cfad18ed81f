//! What holds for every payload and every set of claims.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::token::claim::Claim;

prop_compose! {
    fn any_claims()(sid in any::<[u8; SessionId::LEN]>(), iat in 0..=NOW, exp in 0..=253_402_300_799_i64, auth in 0..=NOW)
        -> Claims
    {
        Claims {
            sid: SessionId::from_bytes(sid),
            generation: None,
            issued_at: at(iat),
            expires_at: at(exp),
            authenticated_at: at(auth),
            ends_by: None,
        }
    }
}

fn any_name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("reserved", |name| Claim::named(name.as_bytes()).is_none())
}

proptest! {
    #[test]
    fn issue_then_verify_gives_back_claims_and_payload(
        claims in any_claims(), user_id in ".{0,200}", role in any::<String>(),
    ) {
        let user = User { user_id, role };
        for codec in [codec(), sealed()] {
            let token = codec.issue(&claims, &user).unwrap();
            prop_assert_eq!(verify(&codec, &token), Ok((claims, user.clone())));
        }
    }

    #[test]
    fn maps_with_any_names_round_trip(
        claims in any_claims(), map in prop::collection::btree_map(any_name(), any::<i64>(), 0..30),
    ) {
        let token = codec().issue(&claims, &map).unwrap();
        let read: (Claims, BTreeMap<String, i64>) = codec().verify(token.as_bytes(), now()).unwrap();
        prop_assert_eq!(read, (claims, map));
    }

    #[test]
    fn a_reference_round_trips_and_is_the_same_each_time(claims in any_claims(), generation: u64) {
        let claims = Claims { generation: Some(generation), ..claims };
        let token = codec().issue_reference(&claims).unwrap();
        prop_assert_eq!(&token, &codec().issue_reference(&claims).unwrap());
        prop_assert_eq!(codec().verify_reference(token.as_bytes(), now()), Ok(claims));
    }

    #[test]
    fn any_change_of_any_byte_is_refused(at: prop::sample::Index, by in 1_u8..) {
        for codec in [codec(), sealed()] {
            let mut token = codec.issue(&claims(), &ada()).unwrap().into_bytes();
            let at = at.index(token.len());
            token[at] ^= by;
            prop_assert!(codec.verify::<User>(&token, now()).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(token: Vec<u8>, text in "[A-Za-z0-9_-]{0,50}(\\.[A-Za-z0-9_-]{0,50}){0,4}") {
        for codec in [codec(), plain(), sealed()] {
            prop_assert!(codec.verify::<User>(&token, now()).is_err());
            prop_assert!(codec.verify_reference(text.as_bytes(), now()).is_err());
        }
    }

    #[test]
    fn any_signed_claims_are_read_without_a_panic(json: Vec<u8>, text in "[\\[\\]{}\",:0-9a-z\\\\u]{0,60}") {
        for claims in [json, text.into_bytes()] {
            prop_assert!(verify(&plain(), &by_hand(JOSE, &claims)).is_err());
            prop_assert!(verify(&codec(), &by_hand(&claims, good_claims())).is_err());
        }
    }
}
