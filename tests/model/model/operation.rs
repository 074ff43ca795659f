//! What can be done to a database, in choices that mean something whatever
//! state it is in.

use std::sync::Arc;
use std::time::Duration;

use sessiondb::{Crash, IndexFate};

use super::draft::Draft;
use super::lease::Wish;
use super::step::{Step, Walk};
use super::terms::Terms;
use super::value::{Kind, Value};

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A handle of a session that does not exist yet.
    Create {
        slot: usize,
        deferred: bool,
    },
    /// A handle of a session that does, did, or never will.
    Open {
        slot: usize,
        whose: Whose,
        deferred: bool,
    },
    /// A session with an ID of the caller's choice.
    Choose {
        slot: usize,
        whose: Whose,
        wish: Wish,
        deferred: bool,
    },
    /// Something about a session, through a handle.
    Act {
        slot: usize,
        action: Action,
    },
    /// The same about a key that is or was there for a limited time, if there
    /// is one.
    ActAgain {
        slot: usize,
        which: usize,
        action: Action,
    },
    /// Several at once; `fails` is what the closure thinks of it at its end.
    Transaction {
        slot: usize,
        actions: Vec<Action>,
        fails: bool,
    },
    /// The end of a session, or of its ID.
    End {
        slot: usize,
        ending: Ending,
    },
    /// A flush or a cycle, and several things about the session in the same
    /// frame.
    EndWith {
        slot: usize,
        renewal: Renewal,
        actions: Vec<Action>,
        fails: bool,
    },
    Touch {
        slot: usize,
    },
    /// All that a handle knows of its session besides the keys.
    Ask {
        slot: usize,
    },
    /// One session is logged out, by its ID or by its digest.
    Revoke {
        whose: Whose,
        by_digest: bool,
        deferred: bool,
    },
    /// All sessions of an owner are, but perhaps one.
    RevokeOwner {
        owner: Owner,
        except: Option<Whose>,
        deferred: bool,
    },
    /// All sessions are listed, or those of an owner.
    List {
        owner: Option<Owner>,
    },
    Inspect {
        whose: Whose,
    },
    IsRetired {
        whose: Whose,
        by_digest: bool,
    },
    Purge,
    /// The clock is set.
    Clock(Turn),
    /// Waits for the disk; of one handle, or of all.
    Commit {
        slot: Option<usize>,
    },
    Checkpoint,
    Compact,
    Erase,
    Verify,
    /// Closes, or just drops every handle, and opens again, perhaps under
    /// other terms.
    Reopen {
        cleanly: bool,
        terms: Option<Terms>,
    },
    Crash(Accident),
    /// A crash in the middle of whatever is done after so many disk operations.
    PowerOff {
        after: u64,
        then: Accident,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of those that exist, this one.
    Living(usize),
    /// Of all IDs that were ever given out, this one.
    Anybody(usize),
    Nobody(u64),
    /// Text that is no ID.
    Nonsense,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Flush,
    Cycle,
    Destroy,
}

/// What gives a session a new ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    Flush,
    Cycle,
}

/// One of a few names, so that owners have several sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(pub(crate) u32);

impl Owner {
    /// Those that there can be.
    pub(crate) const POSSIBLE: u32 = 5;
    /// And those that there cannot.
    pub(crate) const ALL: u32 = Self::POSSIBLE + 2;

    /// Some begin as others do.
    pub(crate) fn name(self) -> Arc<str> {
        match self.0 {
            0 => "user:1".into(),
            1 => "user:12".into(),
            2 => "é".into(),
            3 => "\0".into(),
            4 => "o".repeat(512).into(),
            5 => "".into(),
            _ => "o".repeat(513).into(),
        }
    }

    pub(crate) fn every() -> impl Iterator<Item = Self> {
        (0..Self::POSSIBLE).map(Self)
    }
}

/// How the clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Forward(Duration),
    Back(Duration),
    /// To when something ends, or is worth a touch, one nanosecond before or
    /// after it, or exactly: of the things that do so next, this one.
    ToEnd(usize, Edge),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Before,
    At,
    After,
}

/// Crashes one right after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accident {
    pub(crate) blows: Vec<Blow>,
    /// Whether verify, which checkpoints, is the first thing done afterwards.
    pub(crate) verify: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blow {
    pub(crate) crash: Crash,
    pub(crate) index: IndexFate,
    /// The power goes off again after so many disk operations of the opening.
    pub(crate) opening: Option<u64>,
    /// Whether everything is read before the next blow.
    pub(crate) look: bool,
}

impl Blow {
    pub(crate) fn new(crash: Crash, index: IndexFate) -> Self {
        Self {
            crash,
            index,
            opening: None,
            look: true,
        }
    }
}

impl From<Blow> for Accident {
    fn from(blow: Blow) -> Self {
        Self {
            blows: vec![blow],
            verify: true,
        }
    }
}

/// A value that is still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) kind: Kind,
    pub(crate) size: usize,
}

/// What somebody thinks a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    Right,
    Wrong(Recipe),
    Absent,
}

/// Something about a session whose values are still to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Get(String, Kind),
    Contains(String),
    Set(String, Recipe),
    SetWithTtl(String, Recipe, Duration),
    Pop(String, Option<Kind>),
    PopIf(String, Guess),
    Delete(String),
    Discard(String),
    CompareAndSet(String, Guess, Option<Recipe>),
    Update(String, Option<Recipe>),
    GetOrInsert(String, Recipe),
    RemovePrefix(String),
    Clear,
    Walk(Walk),
    SetOwner(Option<Owner>),
    SetExpiry(Wish),
}

impl Action {
    /// The same about another key.
    pub(crate) fn about(&self, key: &str) -> Self {
        let key = key.to_owned();
        match self.clone() {
            Self::Get(_, kind) => Self::Get(key, kind),
            Self::Contains(_) => Self::Contains(key),
            Self::Set(_, recipe) => Self::Set(key, recipe),
            Self::SetWithTtl(_, recipe, ttl) => Self::SetWithTtl(key, recipe, ttl),
            Self::Pop(_, kind) => Self::Pop(key, kind),
            Self::PopIf(_, guess) => Self::PopIf(key, guess),
            Self::Delete(_) => Self::Delete(key),
            Self::Discard(_) => Self::Discard(key),
            Self::CompareAndSet(_, guess, new) => Self::CompareAndSet(key, guess, new),
            Self::Update(_, new) => Self::Update(key, new),
            Self::GetOrInsert(_, recipe) => Self::GetOrInsert(key, recipe),
            Self::RemovePrefix(_) => Self::RemovePrefix(key),
            other => other,
        }
    }

    /// The step that this is for a session with these keys. Each value has a
    /// stamp of its own.
    pub(crate) fn resolve(&self, draft: &Draft, stamp: &mut u64) -> Step {
        let mut make = |recipe: Recipe| {
            *stamp += 1;
            Value::stamped(recipe.kind, recipe.size, *stamp)
        };
        match self {
            Self::Get(key, kind) => Step::Get(key.clone(), *kind),
            Self::Contains(key) => Step::Contains(key.clone()),
            Self::Set(key, recipe) => Step::Set(key.clone(), make(*recipe)),
            Self::SetWithTtl(key, recipe, ttl) => {
                Step::SetWithTtl(key.clone(), make(unique(typed(*recipe))), *ttl)
            }
            Self::Pop(key, kind) => {
                let held = draft.value(key).map(Value::kind);
                Step::Pop(key.clone(), kind.or(held).unwrap_or(Kind::Text))
            }
            Self::PopIf(key, guess) => {
                let wrong = Recipe {
                    kind: Kind::Text,
                    size: 12,
                };
                let guessed = guessed(*guess, draft.value(key), &mut make);
                Step::PopIf(key.clone(), guessed.unwrap_or_else(|| make(wrong)))
            }
            Self::Delete(key) => Step::Delete(key.clone()),
            Self::Discard(key) => Step::Discard(key.clone()),
            Self::CompareAndSet(key, guess, new) => {
                let guessed = guessed(*guess, draft.value(key), &mut make);
                Step::Swap(key.clone(), guessed, new.map(|new| make(typed(new))))
            }
            Self::Update(key, new) => {
                let held = draft.value(key).map(Value::kind);
                let kind = new.map(|new| typed(new).kind).or(held);
                let kind = kind
                    .filter(|kind| *kind != Kind::Bytes)
                    .unwrap_or(Kind::Text);
                // It may keep a time that the value has to be known by.
                let new = new.map(|new| make(unique(typed(new))));
                Step::Update(key.clone(), kind, new)
            }
            Self::GetOrInsert(key, recipe) => Step::GetOrInsert(key.clone(), make(typed(*recipe))),
            Self::RemovePrefix(prefix) => Step::RemovePrefix(prefix.clone()),
            Self::Clear => Step::Clear,
            Self::Walk(walk) => Step::Walk(*walk),
            Self::SetOwner(owner) => Step::SetOwner(owner.map(Owner::name)),
            Self::SetExpiry(wish) => Step::SetExpiry(wish.at(draft.now)),
        }
    }
}

/// Where only serde types go.
fn typed(recipe: Recipe) -> Recipe {
    Recipe {
        kind: if recipe.kind == Kind::Bytes {
            Kind::Text
        } else {
            recipe.kind
        },
        ..recipe
    }
}

/// Where no other value may look like it: what is there for a limited time
/// has to be told from what is not.
fn unique(recipe: Recipe) -> Recipe {
    Recipe {
        size: recipe.size.max(11),
        ..recipe
    }
}

fn guessed(
    guess: Guess,
    held: Option<&Value>,
    make: &mut impl FnMut(Recipe) -> Value,
) -> Option<Value> {
    match (guess, held) {
        (Guess::Absent, _) | (Guess::Right, None) => None,
        // The interface compares serde values only, and raw bytes equal none.
        (Guess::Right, Some(Value::Bytes(_))) => Some(make(Recipe {
            kind: Kind::Text,
            size: 12,
        })),
        (Guess::Right, Some(held)) => Some(held.clone()),
        (Guess::Wrong(recipe), _) => Some(make(typed(recipe))),
    }
}
