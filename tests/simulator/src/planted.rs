//! Faults that are planted, to see that they are found. All of them are outside of the core: in what it is given.

/// One kind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Planted {
    /// `replace` says that it is done, and wrote nothing.
    ReplaceWritesNothing,
    /// `replace` does not compare versions: the last one wins.
    ReplaceComparesNothing,
    /// `replace` makes a record where there is none.
    ReplaceBringsBack,
    /// `create` says that it is done, and wrote nothing.
    CreateWritesNothing,
    /// `create` does not look at the fence.
    CreateForgetsTheFence,
    /// `create` does not look whether the predecessor of a rotation is still there.
    CreateForgetsThePredecessor,
    /// `create` leaves the predecessor of a login where it is.
    CreateKeepsTheReplaced,
    /// `create` counts nothing.
    CreateForgetsTheLimit,
    /// `delete` says that it is done, and the record is there.
    DeleteDeletesNothing,
    /// `delete_account` overlooks one session, as an index does that lost an entry.
    AccountIndexLosesOne,
    /// `delete_account` ends the one session that it is to keep.
    AccountKeepsNobody,
    /// `delete_account` sets no mark.
    AccountSetsNoMark,
    /// `delete_realm` says that it is done, and everything is there.
    RealmDeletesNothing,
    /// `delete_realm` of one realm ends another one's sessions.
    RealmsAreOne,
    /// Reads come from a replica that is some seconds behind.
    ReadsAreStale,
    /// Now and then a read answers another session's record, under the id that was asked for.
    ReadsMixSessions,
    /// `read_and_touch` never moves last-seen on.
    TouchWritesNothing,
    /// Cleanup deletes what is not expired yet.
    CleanupTakesTheLiving,
    /// A node's clocks stand still, both of them.
    ClockStandsStill,
    /// A node's wall clock is an hour ahead.
    ClockIsAhead,
    /// A node's wall clock is an hour behind.
    ClockIsBehind,
    /// The source of session ids repeats itself.
    RandomRepeats,
    /// The new key signs before every node has it.
    PromotedTooEarly,
    /// The old key is retired while its tokens are still good.
    RetiredTooEarly,
    /// A deploy forgets counters when it reads payloads of the old type.
    UpgradeForgets,
    /// The old key is never retired on one node.
    RetiredNotEverywhere,
    /// One node serves from memory for a minute longer than the others.
    BoundIsLonger,
    /// One node was told of an absolute lifetime three times as long.
    LifetimeIsLonger,
    /// No node has room for what was logged out.
    EndedListIsFull,
    /// One node was not told to seal.
    SealsNothing,
    /// A proxy answers with the cookie of the response before.
    ProxyMixesAnswers,
    /// `adopt` says that it is done, and wrote nothing.
    AdoptWritesNothing,
    /// `adopt` leaves no mark.
    AdoptForgetsTheMark,
    /// `adopt` loses that another system began the session.
    AdoptForgetsTheOrigin,
    /// `bar` says that it is done, and bars nothing.
    BarBarsNothing,
    /// The reader names a foreign session by what is another in each request.
    ForeignIdChanges,
    /// One node does not read when a foreign session ends.
    ForeignEndIsLost,
    /// One node was told to adopt for an hour longer than the others.
    AdoptingIsLonger,
}

impl Planted {
    /// Each of them.
    pub const ALL: [Self; 38] = [
        Self::ReplaceWritesNothing,
        Self::ReplaceComparesNothing,
        Self::ReplaceBringsBack,
        Self::CreateWritesNothing,
        Self::CreateForgetsTheFence,
        Self::CreateForgetsThePredecessor,
        Self::CreateKeepsTheReplaced,
        Self::CreateForgetsTheLimit,
        Self::DeleteDeletesNothing,
        Self::AccountIndexLosesOne,
        Self::AccountKeepsNobody,
        Self::AccountSetsNoMark,
        Self::RealmDeletesNothing,
        Self::RealmsAreOne,
        Self::ReadsAreStale,
        Self::ReadsMixSessions,
        Self::TouchWritesNothing,
        Self::CleanupTakesTheLiving,
        Self::ClockStandsStill,
        Self::ClockIsAhead,
        Self::ClockIsBehind,
        Self::RandomRepeats,
        Self::PromotedTooEarly,
        Self::RetiredTooEarly,
        Self::UpgradeForgets,
        Self::RetiredNotEverywhere,
        Self::BoundIsLonger,
        Self::LifetimeIsLonger,
        Self::EndedListIsFull,
        Self::SealsNothing,
        Self::ProxyMixesAnswers,
        Self::AdoptWritesNothing,
        Self::AdoptForgetsTheMark,
        Self::AdoptForgetsTheOrigin,
        Self::BarBarsNothing,
        Self::ForeignIdChanges,
        Self::ForeignEndIsLost,
        Self::AdoptingIsLonger,
    ];
}
