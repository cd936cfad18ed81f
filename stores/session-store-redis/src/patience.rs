//! How long a server may be silent.

use std::time::Duration;

/// To give a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);
/// To acknowledge packets, to answer a read, or to say anything to a listener. Then it is taken for lost.
pub(crate) const LOST: Duration = Duration::from_secs(5);
