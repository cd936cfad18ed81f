//! How one connection begins and ends.

use std::time::Duration;

use sqlx::{Connection, Database, Error};
use tokio::time::timeout;

use crate::engine::Engine;

/// How long a call waits for a free connection, and for a new one. Core's own deadline (2 s by default) is shorter.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A connection unused for so long is asked for a sign of life before it is trusted with a write.
pub(super) const DOUBT: Duration = Duration::from_secs(1);

pub(super) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A connection of the store's own.
pub(crate) async fn connect<DB: Engine>(options: &Options<DB>) -> Result<DB::Connection, Error> {
    let connect = async {
        let mut connection = DB::Connection::connect_with(options).await?;
        if !DB::SET_UP.is_empty() {
            DB::raw(&mut connection, DB::SET_UP).await?;
        }
        Ok(connection)
    };
    timeout(PATIENCE, connect).await.map_err(|_| Error::PoolTimedOut)?
}

/// Says goodbye, so that the server logs no lost client.
pub(super) async fn close<C: Connection>(connection: C) {
    let _ = timeout(DOUBT, connection.close()).await;
}
