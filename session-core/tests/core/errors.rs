//! What errors say to the people who read them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use session_core::store::StoreError;
use session_core::testing::TestRequest;
use session_core::{KeyRing, SessionManager, SessionPayload, adapter::Slots};

use crate::support::{User, World};

#[derive(Clone, Serialize, Deserialize)]
struct Admin {}

impl SessionPayload for Admin {
    fn subject(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[test]
fn debug_of_an_error_of_the_configuration_is_its_sentence() {
    let error = KeyRing::from_secret("short").unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    let error = SessionManager::<User>::builder().build().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn debug_of_an_error_of_a_store_is_its_sentence_and_the_cause() {
    let error = StoreError::unavailable("the disk is full; make room").with_source(std::fmt::Error);
    assert_eq!(format!("{error:?}"), format!("the disk is full; make room: {}", std::fmt::Error));
}

#[test]
fn a_missing_layer_is_told_with_the_payloads_whose_layers_are_there() {
    let mut slots = Slots::default();
    let get = TestRequest::new("GET", "/");
    let nothing = slots.receive::<Admin>(&get).err().unwrap().to_string();
    assert!(nothing.contains("Admin") && nothing.contains("passed no session layer"), "{nothing}");
    slots.enter(&World::new().stateless()).unwrap();
    let another = slots.receive::<Admin>(&get).err().unwrap().to_string();
    assert!(another.contains("Admin") && another.contains("User"), "{another}");
}
