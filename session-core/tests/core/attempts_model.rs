//! Why it is done like this: every order of a login with a stolen password and of a reset, also when the store loses its
//! marks in between. Each of the four obvious shortcuts lets the thief in.

/// How it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Ours,
    HashBeforeAttempt,
    RevokeBeforeChange,
    /// A mark is a counter of revocations, from 0 again where it was lost.
    CounterThatRestarts,
    /// A login without a mark is as good as one whose mark was lost since.
    AbsentEqualsAbsent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Attempt,
    Hash,
    Create,
    Change,
    Revoke,
    /// The store loses its marks: an eviction, a restart.
    Lose,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    realm: Option<u32>,
    account: Option<u32>,
}

#[derive(Clone, Copy, Default)]
struct World {
    marks: Marks,
    /// The next random mark.
    fresh: u32,
    changed: bool,
    revoked: bool,
    /// What the thief's login began with, and whether the old password was right then.
    fence: Option<Marks>,
    knows: bool,
    has_session: bool,
}

impl World {
    fn step(mut self, way: Way, step: Step) -> Self {
        self.fresh += 1;
        match step {
            Step::Attempt => {
                if way != Way::AbsentEqualsAbsent {
                    let first = if way == Way::CounterThatRestarts { 0 } else { self.fresh };
                    self.marks.realm.get_or_insert(first);
                }
                self.fence = Some(self.marks);
            }
            Step::Hash => self.knows = !self.changed,
            Step::Create => self.has_session |= self.knows && self.holds(way),
            Step::Change => self.changed = true,
            Step::Revoke => {
                self.marks.account = Some(match way {
                    Way::CounterThatRestarts => self.marks.account.map_or(0, |count| count + 1),
                    _ => self.fresh,
                });
                self.has_session = false;
                self.revoked = true;
            }
            Step::Lose => self.marks = Marks::default(),
        }
        self
    }

    fn holds(&self, way: Way) -> bool {
        let Some(fence) = self.fence else { return false };
        (way == Way::AbsentEqualsAbsent || self.marks.realm.is_some()) && fence == self.marks
    }

    /// The password was changed, everybody's sessions were ended, and the thief has one.
    fn is_broken(&self) -> bool {
        self.changed && self.revoked && self.has_session
    }
}

/// Visits every order of what is left. Others log in and are revoked, too: so marks exist, or do not.
fn breaks(way: Way, world: World, thief: &[Step], owner: &[Step], losses: usize) -> bool {
    let mut broken = thief.is_empty() && owner.is_empty() && world.is_broken();
    if let [next, rest @ ..] = thief {
        broken |= breaks(way, world.step(way, *next), rest, owner, losses);
    }
    if let [next, rest @ ..] = owner {
        broken |= breaks(way, world.step(way, *next), thief, rest, losses);
    }
    if losses > 0 {
        broken |= breaks(way, world.step(way, Step::Lose), thief, owner, losses - 1);
        // A login of somebody else makes the realm's mark.
        let others = World { fence: world.fence, ..world.step(way, Step::Attempt) };
        broken |= breaks(way, others, thief, owner, losses - 1);
        // An earlier reset.
        let reset = World { revoked: world.revoked, ..world.step(way, Step::Revoke) };
        broken |= breaks(way, reset, thief, owner, losses - 1);
    }
    broken
}

fn breaks_somewhere(way: Way) -> bool {
    let thief = match way {
        Way::HashBeforeAttempt => [Step::Hash, Step::Attempt, Step::Create],
        _ => [Step::Attempt, Step::Hash, Step::Create],
    };
    let owner = match way {
        Way::RevokeBeforeChange => [Step::Revoke, Step::Change],
        _ => [Step::Change, Step::Revoke],
    };
    breaks(way, World::default(), &thief, &owner, 4)
}

#[test]
fn our_way_lets_nobody_in_in_any_order() {
    assert!(!breaks_somewhere(Way::Ours));
}

#[test]
fn each_shortcut_lets_a_thief_in() {
    for way in
        [Way::HashBeforeAttempt, Way::RevokeBeforeChange, Way::CounterThatRestarts, Way::AbsentEqualsAbsent]
    {
        assert!(breaks_somewhere(way), "{way:?}");
    }
}
