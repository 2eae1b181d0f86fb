//! The rules of the kernel that a test may have broken, one at a time, to see that somebody notices.
//!
//! Each is what the conformance suite must know: a model that breaks it is a wrong one. Where a rule stands in the
//! code, it asks [`Kernel::honours`].

use crate::kernel::Kernel;

/// Declares the rules, each with what a machine does that breaks it.
macro_rules! rules {
    ($($name:ident: $broken:literal;)*) => {
        /// A rule of the kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = concat!("Broken: ", $broken, ".")] $name,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What a machine does that breaks it.
            pub const fn broken(self) -> &'static str {
                match self { $(Self::$name => $broken),* }
            }
        }
    };
}

rules! {
    // Signals
    LowestSignalFirst: "of several pending signals the highest number is first (K3)";
    SignalsMerge: "a signal that is pending is delivered once more for each time it was sent (K1, K3)";
    StoppedHeedNothing: "a stopped process heeds a signal at once (K5)";
    KillEndsTheStopped: "KILL waits until a stopped process is continued (K5)";
    BlockedAreKept: "an ignored signal is dropped although it is held back";
    ContTakesStopsAway: "CONT leaves pending TTIN and TTOU where they are";
    QuitInterrupts: "QUIT does not interrupt a worker that waits";
    QuitIsReadable: "the handle that tells a worker to quit never does";
    // Births and deaths
    ForkClearsPending: "a child is born with the pending signals of its parent (K21)";
    ForkGivesBaseline: "a child is born with the mask and the dispositions of its parent (K20, S43)";
    DeathIsReadable: "the handle of a child is not readable before it is reaped (K7)";
    LifeIsNotReadable: "the handle of a living child is readable (K7)";
    ReapedHangsUp: "the handle of a child is no longer readable after it was reaped (K7)";
    ZombieTakesSignals: "a zombie cannot be signalled (K8)";
    ReapedTakesNoSignals: "one that was reaped can be signalled (K8)";
    StatusIsFixed: "KILL changes how a zombie has ended (K9)";
    ReapOnce: "a child that was reaped is reaped again (K25)";
    StopIsNews: "a parent does not hear that a child was stopped (K6)";
    ContIsNews: "a parent does not hear that a child was continued (K6)";
    DeathRaisesChld: "no signal tells of a death (K1)";
    OldestNewsFirst: "of several children the youngest is told first (K2)";
    StrangersAreReaped: "adopted children stay zombies (K24)";
    StrangersOnRequest: "adopted children are reaped although nobody has asked for that (K24)";
    HostDeathEnds: "a worker lives on when its host has died, whatever its policy";
    HostDeathDrains: "a worker that is to drain when its host dies is not asked to";
    ChangedUserEndsWithHost: "a worker that has changed its user outlives its host";
    LostPrivilegesStayLost: "who has given up to be root is root again when it likes";
    HardLimitsStay: "who is not root raises a hard limit";
    // Slots
    SlotOutlivesWriter: "a slot is emptied when its writer dies (K26)";
    ClaimEmptiesSlot: "a slot that is claimed keeps what stood there (K26)";
    // Listeners and connections
    BacklogOfOneMore: "a backlog of n holds n (K10)";
    FullBacklogHangs: "a connection that finds no room is refused (K10)";
    LastHolderEndsQueue: "the first holder of a listener that closes it ends its queue (K12)";
    EndOfQueueResets: "connections in the queue of a listener that is closed stay as they are (K12)";
    GroupIsSpread: "of a group all connections come to the first socket (K13)";
    UnreadIsReset: "a connection that is closed with something unread ends in order (K14)";
    ReadIsEnd: "a connection that is closed with everything read is reset (K14)";
    EndOutlivesReset: "an end that has come is no longer read after a reset (K14)";
    NothingIsNotSent: "a write of no bytes is sent, and resets whoever reads no more";
    OverIsOver: "a connection that both sides have finished can be reset (K14)";
    ResetIsAccepted: "a connection that was reset in the queue is not accepted any more (K15)";
    LimitKeepsConnection: "an accept without a descriptor loses the connection (K16)";
    FirstComeFirstAccepted: "the youngest connection in a queue is accepted first";
    NobodyRefuses: "a connection to where nobody listens hangs";
    AddressIsTaken: "an address can be bound twice";
    ErrorIsToldOnce: "the error of a connection is told each time";
    EndIsReadable: "the end of what a peer sends does not make a connection readable";
    WritingEnds: "who has ended writing can write on";
    // Channels
    LastCopyEndsChannel: "a channel ends with the first copy that is closed (K17)";
    MessagesHaveBounds: "a read takes the next message as well, if there is room";
    RestIsLost: "what of a message has no room is read next";
    // Pipes
    LastWriterEndsPipe: "a pipe ends with the first writer that lets go of it";
    PipeKeepsLastWords: "what is in a pipe is gone with its last writer";
    PipeIsBounded: "a pipe has room for everything";
    SmallWritesAreWhole: "of a small write a pipe takes what it has room for";
    // Pid files
    LockIsExclusive: "a file that is locked is locked again";
    LockIsTheFiles: "the lock of a file goes with the first descriptor of it that is closed (K19)";
    // The poller
    LevelTriggered: "a handle that was reported is not reported again until something new happens";
    InterestDecides: "a handle that can be written is reported to who only wants to read";
    DeletedIsSilent: "a registration that was deleted is reported on";
    SharedWakesOne: "nobody who waits is woken for a shared listener (K27)";
    SharedLooksAtOnce: "a shared registration does not look at what is there (K27)";
    DeadlineIsWaitedFor: "a wait ends before its deadline";
    ClosedIsBad: "a closed handle names the next thing that is opened";
}

impl Kernel {
    /// Whether this machine keeps `rule`: all do, but one that a test has broken.
    pub(crate) fn honours(&self, rule: Rule) -> bool {
        self.broken_rule != Some(rule)
    }
}
