//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;

/// One login on three frameworks: axum, actix-web and Rocket, side by side, sharing one session store.
#[derive(Clone, Debug, Parser)]
#[command(
    version,
    name = "session-demo",
    after_help = "JWT_SECRET signs the sessions (at least 32 bytes). \
    Without it the demo makes one and keeps it in the data directory."
)]
pub struct Options {
    /// The port of axum; actix-web gets the next one and Rocket the one after that.
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..=65533))]
    pub port: u16,

    /// Where sessions are kept: `embedded` (an SQLite file in the data directory), `memory` (until the demo stops),
    /// `stateless` (in the cookie alone), or the URL of a store: `sqlite:`, `postgres:`, `mysql:`, `redis:`,
    /// `redis-cluster:`.
    #[arg(long, default_value = "embedded", value_name = "STORE")]
    pub store: Store,

    /// Where the demo keeps what outlives it.
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    pub data_dir: PathBuf,
}

impl Options {
    /// The ports of axum, actix-web and Rocket.
    #[must_use]
    pub fn ports(&self) -> [u16; 3] {
        [self.port, self.port + 1, self.port + 2]
    }
}

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In an SQLite file in the data directory.
    Embedded,
    /// In this process.
    Memory,
    /// In the cookie alone.
    Stateless,
    /// Where the URL says.
    Url(String),
}

const SCHEMES: [&str; 8] =
    ["sqlite", "postgres", "postgresql", "mysql", "mariadb", "redis", "valkey", "redis-cluster"];

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "embedded" => return Ok(Self::Embedded),
            "memory" => return Ok(Self::Memory),
            "stateless" => return Ok(Self::Stateless),
            _ => {}
        }
        match text.split_once(':') {
            Some((scheme, _)) if SCHEMES.contains(&scheme) => Ok(Self::Url(text.to_owned())),
            _ => Err(format!(
                "there is no such store: use `embedded`, `memory`, `stateless`, or a URL that begins with one of {}",
                SCHEMES.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::try_parse_from([&["session-demo"], arguments].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn the_defaults() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.ports(), options.store), ([3000, 3001, 3002], Store::Embedded));
        assert_eq!(options.data_dir, PathBuf::from(".demo"));
    }

    #[test]
    fn the_port_moves_all_three() {
        assert_eq!(parse(&["--port", "65533"]).unwrap().ports(), [65533, 65534, 65535]);
        for port in ["0", "65534", "x"] {
            assert!(parse(&["--port", port]).is_err(), "{port}");
        }
    }

    #[test]
    fn a_store_is_a_word_or_a_url() {
        assert_eq!(parse(&["--store", "stateless"]).unwrap().store, Store::Stateless);
        for url in ["sqlite:demo.sqlite", "postgres://localhost/x", "redis-cluster://a,b"] {
            assert_eq!(parse(&["--store", url]).unwrap().store, Store::Url(url.to_owned()));
        }
        for text in ["disk", "mongodb://localhost"] {
            assert!(parse(&["--store", text]).unwrap_err().contains("there is no such store"), "{text}");
        }
    }
}
