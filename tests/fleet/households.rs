//! People of one household use the same account at the same time: its newest session, and earlier ones that they have not
//! let go of. What each was told goes into the history.

use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::history::{Asked, Entry, Id, Told};
use super::load::Shared;
use crate::wire::{Request, Response};

const HOUSEHOLDS: usize = 5;
const MEMBERS: usize = 3;
/// After so many logins a household takes another account, so that no limit of sessions ends one.
const LOGINS: usize = 40;

/// Who lives together.
struct Household {
    shared: Arc<Shared>,
    number: usize,
    known: Mutex<Vec<Arc<Known>>>,
}

/// A session that they were given.
struct Known {
    id: Id,
    cookie: String,
}

struct Member {
    household: Arc<Household>,
    number: usize,
    turn: usize,
}

/// Starts everybody. Each lives until the load is over.
pub(super) fn move_in(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut members = JoinSet::new();
    for number in 0..HOUSEHOLDS {
        let household = Household { shared: Arc::clone(shared), number, known: Mutex::default() };
        let household = Arc::new(household);
        for number in 0..MEMBERS {
            members.spawn(Member { household: Arc::clone(&household), number, turn: number }.live());
        }
    }
    members
}

impl Household {
    fn account(&self, login: usize) -> usize {
        self.number + HOUSEHOLDS * (login / LOGINS)
    }

    /// Of the account that it has now, the session that is so many logins old.
    fn session(&self, back: usize) -> Option<Arc<Known>> {
        let known = self.known.lock().unwrap();
        let session = known.len().checked_sub(1 + back).map(|at| Arc::clone(&known[at]))?;
        (session.id.account == self.account(known.len())).then_some(session)
    }

    fn is_newest(&self, id: Id) -> bool {
        self.known.lock().unwrap().last().is_some_and(|newest| newest.id == id)
    }

    /// An account's name is the household's alone in this load.
    async fn log_in(&self, node: usize) {
        // Another one may log in meanwhile: then there are two with this account, or this is one more than `LOGINS`.
        let account = self.account(self.known.lock().unwrap().len());
        let request = Request::post("/login").body(format!("name=h{account}"));
        let visit = self.shared.visit(node, &request).await;
        let Some(answer) = visit.answer else { return };
        let cookie = format!("__Host-session={}", answer.expect(200).cookie_value());
        let mut known = self.known.lock().unwrap();
        let id = Id { account, login: known.len() };
        let (began, ended) = (visit.began, visit.ended);
        self.shared.history.add(Entry { id, asked: Asked::LogIn, told: Told::Done, began, ended });
        known.push(Arc::new(Known { id, cookie }));
    }
}

impl Member {
    async fn live(mut self) {
        while !self.household.shared.is_over() {
            self.turn += 1;
            // Mostly the newest.
            let back = [0, 0, 1, 0, 0, 2, 0][self.turn % 7];
            let Some(known) = self.household.session(back) else {
                self.household.log_in(self.node()).await;
                continue;
            };
            match (5 * self.turn + 3 * self.number) % 16 {
                0 => self.ask(&known, Asked::LogOut).await,
                1 => self.ask(&known, Asked::EndOthers).await,
                2 => self.household.log_in(self.node()).await,
                3..=8 => self.ask(&known, Asked::Count).await,
                _ => self.ask(&known, Asked::Read).await,
            }
        }
    }

    /// Another one each time.
    fn node(&self) -> usize {
        self.turn + self.number
    }

    async fn ask(&self, known: &Known, asked: Asked) {
        let request = match asked {
            Asked::LogOut => Request::post("/logout"),
            Asked::EndOthers => Request::post("/session/revoke-others"),
            Asked::Count => Request::post("/visits"),
            Asked::LogIn | Asked::Read => Request::get("/me"),
        };
        let visit = self.household.shared.visit(self.node(), &request.cookie(&known.cookie)).await;
        let told = visit.answer.map_or(Told::Unknown, |answer| told(asked, answer));
        let (began, ended) = (visit.began, visit.ended);
        self.household.shared.history.add(Entry { id: known.id, asked, told, began, ended });
        if told == Told::Nobody && self.household.is_newest(known.id) {
            self.household.log_in(self.node()).await;
        }
    }
}

fn told(asked: Asked, answer: Response) -> Told {
    if answer.status == 401 {
        drop(answer.expect_error(401, "SESSION_NOT_FOUND"));
        return Told::Nobody;
    }
    let answer = answer.expect(200);
    match asked {
        Asked::Read => Told::Visits(answer.json()["visits"].as_u64().unwrap()),
        Asked::Count => Told::Visits(answer.text().parse().unwrap()),
        Asked::LogIn | Asked::LogOut | Asked::EndOthers => Told::Done,
    }
}
