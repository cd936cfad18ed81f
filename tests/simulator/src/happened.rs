//! What happened in a run, by kind: a simulator in which nothing goes wrong finds nothing.

use std::fmt;

macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident,)*) => {
        /// One kind of thing that can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Happened { $($(#[$about])* $kind,)* }

        impl Happened {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];
        }
    };
}

kinds! {
    /// A run without a store.
    StatelessRun,
    /// A run with a store that is asked each time.
    TrackedRun,
    /// A run with a store, and memory for a bound.
    HybridRun,

    /// A browser asked for something.
    Request,
    /// An answer showed a session.
    Served,
    /// Somebody who had to be let in was, in weather that must log nobody out.
    StayedIn,
    /// 401.
    Refused,
    /// 503.
    Unavailable,
    /// A login that was acknowledged.
    LoggedIn,
    /// A new id for a session that was there.
    Rotated,
    /// A newer token for a session.
    Refreshed,
    /// An update that was acknowledged.
    Updated,
    /// A logout that was acknowledged.
    LoggedOut,

    /// The answer never reached the browser.
    ResponseLost,
    /// An answer reached the browser after a later one.
    ResponseOvertaken,
    /// A request was dropped in the middle of its work.
    RequestCut,

    /// A node's clock was wrong from the beginning.
    ClockSkewed,
    /// Somebody set a node's clock.
    ClockSet,

    /// A call never reached the store.
    CallFailed,
    /// The store did what it was told, and nobody heard.
    AnswerLost,
    /// A call took long.
    CallSlow,
    /// A call had no end.
    CallHung,
    /// A call arrived when its caller had given up.
    CallLate,
    /// A node was told in time that a session had ended.
    NewsTold,
    /// A node was not told.
    NewsLost,
    /// A node's line for news broke.
    LineCut,
    /// The store's cleanup ran.
    CleanedUp,

    /// A process was ended, whatever it was doing, and started again.
    Restarted,
    /// A node got the new program.
    Deployed,
    /// The new program read a payload of the old one.
    Upgraded,
    /// The old program met a payload of the new one.
    TooNew,
    /// A deploy changed whether tokens or records are sealed.
    FormChanged,
    /// A cookie that cannot be read.
    TokenSealed,
    /// A record whose payload cannot be read.
    RecordSealed,

    /// A node learned the new key.
    KeyAdded,
    /// A node began to sign with it.
    KeyPromoted,
    /// A node forgot the old key, after all of its tokens had expired.
    KeyRetired,
    /// The same at once, since somebody else has it.
    KeyRevoked,
    /// Somebody signed a token with the key that was retired.
    Forged,
    /// A token of a key that was retired was refused.
    RetiredKeyRefused,

    /// A thief has a copy of a cookie.
    Stolen,
    /// A token was used long after its successor.
    Replayed,
    /// A session's other devices were logged out.
    OthersRevoked,
    /// An account was logged out everywhere.
    AccountRevoked,
    /// Everybody was.
    EveryoneRevoked,
    /// All sessions of an account were changed.
    AccountUpdated,
    /// A login came to nothing, since the account was logged out meanwhile.
    Overtaken,
    /// A login had to make room.
    Evicted,
    /// A login found no room.
    LimitReached,
    /// Devices were listed.
    Listed,
    /// The application next door ended its own users' sessions.
    NeighbourEnded,

    /// A fleet that adopts sessions of another system.
    MovingRun,
    /// One of them got its session here.
    Adopted,
    /// Somebody who had to be let in with a foreign session was.
    MovedIn,
    /// It was a token of ours, from before the store.
    TokenAdopted,
    /// A request got the session that another one had made of the same foreign one.
    Joined,
    /// The other system could not be asked.
    ForeignUnreadable,
    /// A browser was told to forget the other system's cookie.
    ForeignCleared,
    /// A copy of the other system's cookie was shown, late or again.
    CameAgain,
    /// A login or a logout ended a foreign session that nobody had adopted.
    EndedBeforeItsFirstVisit,
    /// What had been logged out was shown again, and refused.
    StayedOut,
    /// The same of an account that had been revoked before its first visit.
    BarredBeforeItsFirstVisit,
    /// Somebody came when adopting was over.
    AdoptingOver,
    /// Somebody came with a foreign session that was over.
    ForeignEnd,
    /// An adopted session did not pass where a login must be fresh.
    NotFresh,
    /// A login of this run did.
    Fresh,

    /// A session was shown without asking the store.
    ServedFromMemory,
    /// A session was shown within the bound after its end elsewhere.
    ServedWithinTheBound,
    /// Without a store, a copy was good on a node that does not know of the logout.
    ServedElsewhere,
    /// A request came after the end of the absolute lifetime, and was refused.
    AbsoluteEnd,
    /// A request came after the idle timeout, and was refused.
    IdleEnd,
    /// A request came with a token that had expired, and was refused.
    TokenEnd,
}

/// How often each of them happened.
#[derive(Clone, Copy, Debug)]
pub struct Counts([u64; Happened::ALL.len()]);

impl Counts {
    /// How often this happened.
    #[must_use]
    pub fn of(&self, kind: Happened) -> u64 {
        self.0[kind as usize]
    }

    pub(crate) fn count(&mut self, kind: Happened) {
        self.0[kind as usize] += 1;
    }

    pub(crate) fn add(&mut self, others: &Self) {
        self.0.iter_mut().zip(others.0).for_each(|(sum, more)| *sum += more);
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self([0; Happened::ALL.len()])
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Happened::ALL.iter().try_for_each(|kind| write!(f, "{kind:?} {}, ", self.of(*kind)))
    }
}
