//! The address of a server, as it is used and as errors name it.

use std::str::FromStr as _;

use session_core::store::StoreError;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::address::{self, Kind};
use crate::error::connect_error;

/// The URL, without what stock poolers refuse: sqlx asks for more digits of floats, and the tables have none.
pub(super) fn address_of(url: &str) -> Result<PgConnectOptions, StoreError> {
    address::check(url, Kind::Postgres)?;
    let parsed = PgConnectOptions::from_str(url).map_err(connect_error)?;
    // Statements that go out unprepared carry payloads in their text.
    Ok(parsed.extra_float_digits(None).disable_statement_logging())
}

/// As errors name it.
pub(super) fn place(address: &PgConnectOptions) -> String {
    let host = match address.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => address.get_host().to_owned(),
    };
    let (user, database) = (address.get_username(), address.get_database());
    address::place(Kind::Postgres, user, &host, address.get_port(), database)
}
