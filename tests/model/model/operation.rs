//! What can be done to a database, in choices that mean something whatever
//! state it is in.

use sessiondb::{Crash, IndexFate};

use super::step::{Keys, Step, Walk};
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
    /// Something about keys, through a handle.
    Act {
        slot: usize,
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
    /// Waits for the disk; of one handle, or of all.
    Commit {
        slot: Option<usize>,
    },
    Checkpoint,
    Verify,
    /// Closes, or just drops every handle, and opens again.
    Reopen {
        cleanly: bool,
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

/// Something about keys whose values are still to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Get(String, Kind),
    Contains(String),
    Set(String, Recipe),
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
}

impl Action {
    /// The step that this is for a session with these keys. Each value has a
    /// stamp of its own.
    pub(crate) fn resolve(&self, keys: &Keys, stamp: &mut u64) -> Step {
        let mut make = |recipe: Recipe| {
            *stamp += 1;
            Value::stamped(recipe.kind, recipe.size, *stamp)
        };
        match self {
            Self::Get(key, kind) => Step::Get(key.clone(), *kind),
            Self::Contains(key) => Step::Contains(key.clone()),
            Self::Set(key, recipe) => Step::Set(key.clone(), make(*recipe)),
            Self::Pop(key, kind) => {
                let held = keys.get(key).map(Value::kind);
                Step::Pop(key.clone(), kind.or(held).unwrap_or(Kind::Text))
            }
            Self::PopIf(key, guess) => {
                let wrong = Recipe {
                    kind: Kind::Text,
                    size: 12,
                };
                let guessed = guessed(*guess, keys.get(key), &mut make);
                Step::PopIf(key.clone(), guessed.unwrap_or_else(|| make(wrong)))
            }
            Self::Delete(key) => Step::Delete(key.clone()),
            Self::Discard(key) => Step::Discard(key.clone()),
            Self::CompareAndSet(key, guess, new) => {
                let guessed = guessed(*guess, keys.get(key), &mut make);
                Step::Swap(key.clone(), guessed, new.map(|new| make(typed(new))))
            }
            Self::Update(key, new) => {
                let held = keys.get(key).map(Value::kind);
                let kind = new.map(|new| typed(new).kind).or(held);
                let kind = kind
                    .filter(|kind| *kind != Kind::Bytes)
                    .unwrap_or(Kind::Text);
                Step::Update(key.clone(), kind, new.map(|new| make(typed(new))))
            }
            Self::GetOrInsert(key, recipe) => Step::GetOrInsert(key.clone(), make(typed(*recipe))),
            Self::RemovePrefix(prefix) => Step::RemovePrefix(prefix.clone()),
            Self::Clear => Step::Clear,
            Self::Walk(walk) => Step::Walk(*walk),
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
