//! One request: from the browser to a node, through the core, and back.

mod fulfil;
mod notes;

use std::sync::{Arc, Mutex};

use session_core::testing::TestRequest;
use session_core::{SessionId, SessionManager};

use self::fulfil::Visit;
use crate::browser::Browser;
use crate::happened::Happened;
use crate::node::{Node, Program};
use crate::oracle::Begun;
use crate::payload::Payload;
use crate::stage::{Cut, Millis};
use crate::token::{Change, Token};
use crate::visa::COOKIE;
use crate::world::World;

/// What a browser wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Use,
    /// The status.
    Look,
    /// A handler that must not act for a session that ended elsewhere.
    Recheck,
    Refresh,
    Update,
    List,
    /// A handler that asks for a login that was proven lately.
    StepUp,
    LogIn(Options),
    Rotate,
    LogOut,
    RevokeOthers,
    RevokeAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) account: usize,
    /// How long the password check takes between an attempt and its login; `None` for a login without an attempt.
    pub(crate) attempt: Option<Millis>,
    pub(crate) is_remembered: bool,
    /// In seconds.
    pub(crate) at_most: Option<u64>,
}

/// What a node answers.
struct Answer {
    set_cookie: Option<String>,
    clears_the_visa: bool,
    /// The session that was begun, or adopted, if one was.
    began: Option<SessionId>,
}

/// Sends a request, and takes what comes back into the jar.
pub(crate) async fn visit(world: Arc<World>, browser: Arc<Browser>, wish: Wish) {
    let stage = &world.stage;
    let weather = &world.settings.weather;
    let (token, visa) = (browser.cookie(), browser.visa());
    let (to, from, node, cut_after, is_lost) = {
        let mut random = stage.random();
        let cut_after = random.chance(weather.request_is_cut).then(|| random.within(0..=12));
        let flights = (random.within(0..=weather.flight), random.within(0..=weather.flight));
        let node = random.index(world.nodes.len());
        (flights.0, flights.1, node, cut_after, random.chance(weather.response_is_lost))
    };
    stage.count(Happened::Request);
    if matches!(wish, Wish::LogIn(_) | Wish::Rotate | Wish::LogOut | Wish::RevokeAll) {
        world.oracle.is_to_end(token.as_ref(), visa.as_deref());
    }
    stage.sleep(to).await;
    let node = &world.nodes[node];
    let begun = node.begin(token.as_ref(), visa.as_ref());
    if let Some(visa) = visa.filter(|_| wish != Wish::Look) {
        world.oracle.is_shown(visa.serial);
    }
    stage.note(|| {
        let shown = token.as_ref().map(|token| (token.sid, token.generation, token.expires_at));
        let visa = begun.visa.as_ref().map(|visa| visa.serial);
        format!("browser {} to node {}: {wish:?} {shown:?} {visa:?}", browser.number, node.number)
    });
    let work = work(&world, node, &begun, wish);
    let life = node.life();
    let answer = Cut { future: Box::pin(work), polls: cut_after, is_over: || node.life() != life }.await;
    world.oracle.is_over(&begun);
    let Some(answer) = answer else {
        stage.count(Happened::RequestCut);
        return stage.note(|| format!("browser {} was cut off", browser.number));
    };
    let sent = stage.now();
    stage.sleep(from).await;
    if is_lost {
        return stage.count(Happened::ResponseLost);
    }
    if answer.clears_the_visa {
        stage.count(Happened::ForeignCleared);
        browser.forget_visa();
    }
    if let Some(line) = world.pass_on(answer.set_cookie) {
        receive(&world, &browser, token.as_ref(), answer.began, &line, sent);
    }
}

/// What a browser is to keep is of the session that it showed, or of the one that its request began.
fn receive(
    world: &World,
    browser: &Browser,
    shown: Option<&Token>,
    began: Option<SessionId>,
    line: &str,
    sent: Millis,
) {
    let stage = &world.stage;
    let Some(change) = Change::read(line) else {
        return stage.fail(|| "a Set-Cookie that nobody can read".to_owned());
    };
    stage.note(|| format!("browser {}: {change}", browser.number));
    if let Change::Keep(token) = &change {
        if token.is_sealed {
            stage.count(Happened::TokenSealed);
        }
        if began != Some(token.sid) && shown.is_none_or(|shown| shown.sid != token.sid) {
            stage.fail(|| {
                format!("a browser got the cookie of {:?}, and never had anything to do with it", token.sid)
            });
        }
    }
    if browser.take(change, sent) {
        stage.count(Happened::ResponseOvertaken);
    }
}

async fn work(world: &World, node: &Node, begun: &Begun, wish: Wish) -> Answer {
    match node.running().program {
        Program::Old(manager) => work_in(world, node, &manager, begun, wish).await,
        Program::New(manager) => work_in(world, node, &manager, begun, wish).await,
    }
}

async fn work_in<U: Payload>(
    world: &World,
    node: &Node,
    manager: &SessionManager<U>,
    begun: &Begun,
    wish: Wish,
) -> Answer {
    let head = TestRequest::new(if wish == Wish::Use { "GET" } else { "POST" }, "/");
    let head = match cookies(begun) {
        Some(cookies) => head.cookie(&cookies),
        None => head,
    };
    let slot = manager.slot();
    let incoming = slot.receive(&head);
    let visit =
        Visit { world, node, manager, begun, incoming, began: Mutex::default(), notes: Mutex::default() };
    visit.fulfil(wish).await;
    let changes = slot.close(&());
    let is_the_others = |line: &&str| line.starts_with(COOKIE);
    let set_cookie = changes.set_cookies().find(|line| !is_the_others(line)).map(str::to_owned);
    let clears_the_visa = changes.set_cookies().any(|line| is_the_others(&line));
    let change = set_cookie.as_deref().and_then(Change::read);
    let kept = if let Some(Change::Keep(token)) = &change { Some(token) } else { None };
    visit.tell(kept);
    if let Some(token) = kept {
        let must_seal = world.settings.seals.of(begun.is_old_program) && !world.settings.has_store();
        if must_seal && !token.is_sealed {
            world.stage.fail(|| format!("anybody can read the token of {:?}", token.sid));
        }
    }
    Answer { set_cookie, clears_the_visa, began: visit.began() }
}

/// All that the browser has for us: a token from before the store has the name of a session's cookie, so there is one.
fn cookies(begun: &Begun) -> Option<String> {
    match (&begun.token, &begun.visa) {
        (Some(token), Some(visa)) => Some(format!("{}; {}", token.cookie, visa.cookie)),
        (Some(token), None) => Some(token.cookie.clone()),
        (None, Some(visa)) => Some(visa.cookie.clone()),
        (None, None) => None,
    }
}
