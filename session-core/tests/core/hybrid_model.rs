//! Two processes in hybrid mode, in any order of events: what they serve was true less than the bound ago, and
//! whatever a process did itself it sees at once, and whoever has a session confirmed sees what is true.

use proptest::prelude::*;
use session_core::SessionManager;

use crate::support::{Browser, Trip, User, World, seconds, user};

const BOUND: u64 = 30;
const ACCOUNTS: [&str; 2] = ["ann", "bob"];

#[derive(Clone, Copy, Debug)]
enum Event {
    Login {
        node: usize,
        account: usize,
    },
    Read {
        node: usize,
        session: usize,
    },
    /// Whether somebody who must know has the session confirmed, or asks for its status.
    Ask {
        node: usize,
        session: usize,
        confirm: bool,
    },
    Update {
        node: usize,
        session: usize,
    },
    Logout {
        node: usize,
        session: usize,
    },
    RevokeAccount {
        node: usize,
        account: usize,
    },
    RevokeEveryone {
        node: usize,
    },
    Pass {
        time: u64,
    },
}

/// What is true of a session.
struct Truth {
    browser: Browser,
    account: usize,
    /// When and where each number of visits became true; the first with the login.
    visits: Vec<(u64, usize)>,
    ended: Option<(u64, usize)>,
}

impl Truth {
    fn end(&mut self, now: u64, node: usize) {
        self.ended.get_or_insert((now, node));
    }

    /// Whether `node` may serve the session with so many visits.
    fn allows(&self, visits: Option<u64>, now: u64, node: usize) -> bool {
        let is_over = |(when, place): (u64, usize)| place == node || now >= when + BOUND;
        match visits {
            None => self.ended.is_some(),
            Some(visits) => {
                let next = self.visits.get(usize::try_from(visits).unwrap() + 1);
                !self.ended.is_some_and(is_over) && !next.copied().is_some_and(is_over)
            }
        }
    }
}

struct Fleet {
    world: World,
    nodes: [SessionManager<User>; 2],
    sessions: Vec<Truth>,
    now: u64,
}

impl Fleet {
    fn new() -> Self {
        let world = World::new();
        let node = || world.builder().store(world.store.clone()).hybrid(seconds(BOUND)).build().unwrap();
        Self { nodes: [node(), node()], world, sessions: Vec::new(), now: 0 }
    }

    async fn happens(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Login { node, account } => {
                let browser = Browser::login(&self.nodes[node], user(ACCOUNTS[account])).await;
                self.sessions.push(Truth { browser, account, visits: vec![(now, node)], ended: None });
            }
            Event::Read { node, session } => {
                let Some(truth) = self.sessions.get(session) else { return };
                let outcome = self.nodes[node].get_session(&truth.browser.get("/")).await.unwrap();
                let visits = outcome.and_then(|outcome| outcome.user().map(|user| user.visits));
                assert!(truth.allows(visits, now, node), "{visits:?} at {now} on {node}");
            }
            Event::Ask { node, session, confirm } => {
                let Some(truth) = self.sessions.get(session) else { return };
                let slot = Trip::of(&self.nodes[node]);
                slot.receive(&truth.browser.get("/"));
                let known = if confirm { slot.recheck().await } else { slot.peek().await };
                let visits = slot.user().map(|user| user.visits);
                let newest = (truth.visits.len() - 1) as u64;
                assert_eq!(
                    (known.is_ok(), visits),
                    match truth.ended {
                        None => (true, Some(newest)),
                        Some(_) => (false, None),
                    }
                );
            }
            Event::Update { node, session } => {
                let Some(truth) = self.sessions.get_mut(session) else { return };
                let slot = Trip::of(&self.nodes[node]);
                slot.receive(&truth.browser.post("/"));
                match slot.update(|user| user.visits += 1).await {
                    Ok(user) => {
                        assert_eq!(user.visits, truth.visits.len() as u64, "an update was lost");
                        assert!(truth.ended.is_none(), "it was ended");
                        truth.visits.push((now, node));
                    }
                    Err(_) => assert!(truth.ended.is_some()),
                }
            }
            Event::Logout { node, session } => {
                let Some(truth) = self.sessions.get_mut(session) else { return };
                truth.browser.log_out(&self.nodes[node]).await;
                truth.end(now, node);
            }
            Event::RevokeAccount { node, account } => {
                self.nodes[node].revoke_account(ACCOUNTS[account]).await.unwrap();
                let theirs = self.sessions.iter_mut().filter(|truth| truth.account == account);
                theirs.for_each(|truth| truth.end(now, node));
            }
            Event::RevokeEveryone { node } => {
                self.nodes[node].revoke_everyone().await.unwrap();
                self.sessions.iter_mut().for_each(|truth| truth.end(now, node));
            }
            Event::Pass { time } => {
                self.world.advance(time);
                self.now += time;
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let (node, account, session) = (0..2_usize, 0..ACCOUNTS.len(), 0..4_usize);
    prop_oneof![
        3 => (node.clone(), account.clone()).prop_map(|(node, account)| Event::Login { node, account }),
        8 => (node.clone(), session.clone()).prop_map(|(node, session)| Event::Read { node, session }),
        3 => (node.clone(), session.clone(), any::<bool>())
            .prop_map(|(node, session, confirm)| Event::Ask { node, session, confirm }),
        3 => (node.clone(), session.clone()).prop_map(|(node, session)| Event::Update { node, session }),
        1 => (node.clone(), session).prop_map(|(node, session)| Event::Logout { node, session }),
        1 => (node.clone(), account).prop_map(|(node, account)| Event::RevokeAccount { node, account }),
        1 => node.prop_map(|node| Event::RevokeEveryone { node }),
        4 => (0..BOUND + 10).prop_map(|time| Event::Pass { time }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_older_than_the_bound_is_served_and_nothing_that_ended_here(
        events in prop::collection::vec(event(), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut fleet = Fleet::new();
            for event in events {
                fleet.happens(event).await;
            }
        });
    }
}
