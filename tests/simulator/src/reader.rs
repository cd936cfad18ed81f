//! How a node of the fleet reads the other system's cookies.

use session_core::{CookieSettings, Foreign, ForeignCookies, SessionManagerBuilder, Timestamp};

use crate::happened::Happened;
use crate::network::Network;
use crate::payload::Payload;
use crate::settings::account;
use crate::visa::{COOKIE, Kind, Moving};

pub(crate) fn adopting<U: Payload>(
    builder: SessionManagerBuilder<U>,
    moving: &Moving,
    network: &Network,
) -> SessionManagerBuilder<U> {
    let builder = builder.adopt_until(Timestamp::from_unix_seconds(moving.until));
    if let Kind::Token(form) = moving.kind {
        return builder.adopt_tokens(form);
    }
    let (moving, stage, weather) = (moving.clone(), network.stage.clone(), network.weather.clone());
    builder.adopt_from(move |cookies: ForeignCookies| {
        let (pause, fails, another_name) = {
            let mut random = stage.random();
            let another_name = moving.names_change.then(|| random.next());
            (random.within(0..=weather.latency), random.chance(weather.call_fails), another_name)
        };
        let (pause, found) = (stage.sleep(pause), read(&moving, &cookies, another_name));
        if fails {
            stage.count(Happened::ForeignUnreadable);
        }
        async move {
            pause.await;
            if fails { Err("the simulator cut the line to the other system".into()) } else { Ok(found) }
        }
    })
}

fn read<U: Payload>(
    moving: &Moving,
    cookies: &ForeignCookies,
    another_name: Option<u64>,
) -> Option<(U, Foreign)> {
    let value = std::str::from_utf8(cookies.named(COOKIE).next()?).ok()?;
    let parts: Vec<&str> = value.split('.').collect();
    let [number, serial, proven_at, ends_at] = parts[..] else { return None };
    let user = U::begin(&account(number.parse().ok()?), serial.parse().ok()?);
    let time = |text: &str| text.parse().ok().map(Timestamp::from_unix_seconds);
    let mut foreign = Foreign::new(COOKIE).issued_at(time(proven_at));
    if !moving.loses_the_end {
        foreign = foreign.ends_at(time(ends_at));
    }
    if moving.clears {
        foreign = foreign.clear(CookieSettings::default().name(COOKIE));
    }
    if moving.kind == Kind::Named {
        foreign = foreign.id(another_name.map_or(serial.to_owned(), |name| name.to_string()));
    }
    Some((user, foreign))
}
