//! Drawing operations from a source of choices.

use std::time::Duration;

use sessiondb::{Crash, IndexFate};

use super::lease::Wish;
use super::operation::{
    Accident, Action, Blow, Edge, Ending, Guess, Operation, Owner, Recipe, Renewal, Turn, Whose,
};
use super::source::Source;
use super::step::Walk;
use super::terms::Terms;
use super::value::Kind;

/// Handles that can be held at a time.
pub(crate) const SLOTS: u32 = 6;

impl Operation {
    pub(crate) fn draw(source: &mut impl Source) -> Self {
        match source.below(300) {
            0..=203 => about_a_handle(source),
            204..=257 => about_sessions(source),
            258..=264 => {
                let slot = slot(source);
                Self::Commit {
                    slot: source.one_in(2).then_some(slot),
                }
            }
            265..=270 => Self::Checkpoint,
            271..=272 => Self::Erase,
            273..=276 => Self::Compact,
            277..=278 => Self::Verify,
            279..=284 => Self::Reopen {
                cleanly: source.one_in(2),
                terms: source.one_in(2).then(|| Terms::draw(source)),
            },
            285..=289 => Self::Crash(Accident::draw(source)),
            _ => Self::PowerOff {
                after: u64::from(source.below(30)),
                then: Accident::draw(source),
            },
        }
    }
}

fn about_a_handle(source: &mut impl Source) -> Operation {
    let slot = slot(source);
    match source.below(210) {
        0..=8 => Operation::Create {
            slot,
            deferred: source.one_in(2),
        },
        9..=25 => Operation::Open {
            slot,
            whose: whose(source),
            deferred: source.one_in(2),
        },
        26..=49 => Operation::ActAgain {
            slot,
            which: source.index(100),
            action: Action::draw_of_time(source),
        },
        50..=133 => Operation::Act {
            slot,
            action: Action::draw(source),
        },
        134..=149 => Operation::Transaction {
            slot,
            actions: actions(source),
            fails: source.one_in(5),
        },
        150..=155 => fill(slot, source),
        156..=169 => Operation::End {
            slot,
            ending: match source.below(7) {
                0..=2 => Ending::Flush,
                3..=5 => Ending::Cycle,
                _ => Ending::Destroy,
            },
        },
        170..=181 => end_with(slot, source),
        182..=199 => Operation::Touch { slot },
        200..=203 => Operation::Ask { slot },
        _ => Operation::Choose {
            slot,
            whose: whose(source),
            wish: wish(source),
            deferred: source.one_in(2),
        },
    }
}

fn end_with(slot: usize, source: &mut impl Source) -> Operation {
    let renewals = [Renewal::Flush, Renewal::Cycle];
    let renewal = renewals[source.index(2)];
    let mut actions = actions(source);
    // Half of them are a login.
    if source.one_in(2) {
        actions.push(Action::SetOwner(Some(owner(source))));
    }
    Operation::EndWith {
        slot,
        renewal,
        actions,
        fails: source.one_in(5),
    }
}

fn about_sessions(source: &mut impl Source) -> Operation {
    match source.below(52) {
        0..=3 => Operation::Revoke {
            whose: whose(source),
            by_digest: source.one_in(2),
            deferred: source.one_in(2),
        },
        4..=8 => Operation::RevokeOwner {
            owner: owner(source),
            except: source.one_in(2).then(|| whose(source)),
            deferred: source.one_in(2),
        },
        9..=12 => Operation::List {
            owner: (!source.one_in(3)).then(|| owner(source)),
        },
        13..=16 => Operation::Inspect {
            whose: whose(source),
        },
        17..=21 => Operation::IsRetired {
            whose: whose(source),
            by_digest: source.one_in(2),
        },
        22..=26 => Operation::Purge,
        _ => Operation::Clock(match source.below(10) {
            0..=4 => Turn::Forward(source.span()),
            5..=8 => {
                let edge = [Edge::Before, Edge::At, Edge::After][source.index(3)];
                Turn::ToEnd(source.index(4), edge)
            }
            _ => Turn::Back(source.span()),
        }),
    }
}

fn slot(source: &mut impl Source) -> usize {
    source.index(SLOTS)
}

fn actions(source: &mut impl Source) -> Vec<Action> {
    let count = 1 + source.below(6);
    (0..count).map(|_| Action::draw(source)).collect()
}

/// Mostly one that there can be, and mostly one of two.
fn owner(source: &mut impl Source) -> Owner {
    Owner(match source.below(30) {
        0 => source.below(Owner::ALL),
        1..=6 => source.below(Owner::POSSIBLE),
        _ => source.below(2),
    })
}

fn wish(source: &mut impl Source) -> Wish {
    match source.below(40) {
        0..=10 => Wish::Default,
        11..=22 => Wish::Idle(idle(source)),
        23..=32 => Wish::In(source.span()),
        33..=36 => Wish::Browser,
        37 => Wish::Ago(source.span()),
        38 => Wish::Never,
        // More than can be counted.
        _ => [Wish::Idle(Duration::MAX), Wish::In(Duration::MAX)][source.index(2)],
    }
}

/// A multiple of 16 nanoseconds.
fn idle(source: &mut impl Source) -> Duration {
    source.span() / 16 * 16
}

fn whose(source: &mut impl Source) -> Whose {
    match source.below(10) {
        0..=6 => Whose::Living(source.index(1000)),
        7..=8 => Whose::Anybody(source.index(1000)),
        _ if source.one_in(2) => Whose::Nobody(source.below(6).into()),
        _ => Whose::Nonsense,
    }
}

/// Enough keys for a session of several pages.
fn fill(slot: usize, source: &mut impl Source) -> Operation {
    let size = 64 << source.index(4);
    let first = source.below(40);
    let actions = (0..10 + source.below(30)).map(|offset| {
        let kind = if offset % 5 == 0 {
            Kind::Bytes
        } else {
            Kind::Text
        };
        Action::Set(ordinary_key(first + offset), Recipe { kind, size })
    });
    Operation::Transaction {
        slot,
        actions: actions.collect(),
        fails: false,
    }
}

impl Accident {
    pub(crate) fn draw(source: &mut impl Source) -> Self {
        let blows = match source.below(6) {
            0..=2 => 1,
            3..=4 => 2,
            _ => 3,
        };
        Self {
            blows: (0..blows).map(|_| Blow::draw(source)).collect(),
            verify: source.below(3) > 0,
        }
    }
}

impl Blow {
    fn draw(source: &mut impl Source) -> Self {
        let seed = u64::from(source.below(u32::MAX));
        Self {
            crash: match source.below(8) {
                0 => Crash::KeepNothing,
                1 => Crash::KeepAll,
                2..=5 => Crash::Random(seed),
                _ => Crash::Prefix(seed),
            },
            index: if source.one_in(4) {
                IndexFate::Lost
            } else {
                IndexFate::Kept
            },
            opening: source.one_in(3).then(|| u64::from(source.below(24))),
            look: source.one_in(2),
        }
    }
}

impl Action {
    fn draw(source: &mut impl Source) -> Self {
        let key = key(source);
        match source.below(54) {
            0..=11 => Self::Set(key, Recipe::draw(source)),
            12..=15 => Self::Get(key, kind(source)),
            16 => Self::Contains(key),
            17..=20 => Self::Pop(key, source.one_in(4).then(|| kind(source))),
            21..=22 => Self::PopIf(key, Guess::draw(source)),
            23..=24 => Self::Delete(key),
            25..=26 => Self::Discard(key),
            27..=29 => {
                let new = (!source.one_in(4)).then(|| Recipe::draw(source));
                Self::CompareAndSet(key, Guess::draw(source), new)
            }
            30..=31 => Self::Update(key, (!source.one_in(4)).then(|| Recipe::draw(source))),
            32..=33 => Self::GetOrInsert(key, Recipe::draw(source)),
            34..=35 => Self::RemovePrefix(prefix(source)),
            36 => Self::Clear,
            37..=41 => Self::SetWithTtl(key, Recipe::draw(source), source.span()),
            42..=47 => Self::SetOwner((!source.one_in(6)).then(|| owner(source))),
            48..=50 => Self::SetExpiry(wish(source)),
            _ => Self::Walk(match source.below(6) {
                0..=1 => Walk::Entries,
                2 => Walk::Keys,
                3 => Walk::Length,
                4 => Walk::Emptiness,
                _ => Walk::Map,
            }),
        }
    }
}

impl Action {
    /// Mostly one that makes a difference to how long a key is there.
    fn draw_of_time(source: &mut impl Source) -> Self {
        let key = key(source);
        match source.below(8) {
            0..=1 => Self::Update(key, Some(Recipe::draw(source))),
            2 => Self::Set(key, Recipe::draw(source)),
            3 => Self::SetWithTtl(key, Recipe::draw(source), source.span()),
            4 => Self::CompareAndSet(key, Guess::Right, Some(Recipe::draw(source))),
            5 => Self::GetOrInsert(key, Recipe::draw(source)),
            _ => Self::draw(source),
        }
    }
}

impl Guess {
    fn draw(source: &mut impl Source) -> Self {
        match source.below(6) {
            0..=3 => Self::Right,
            4 => Self::Wrong(Recipe::draw(source)),
            _ => Self::Absent,
        }
    }
}

impl Recipe {
    fn draw(source: &mut impl Source) -> Self {
        let size = match source.below(48) {
            0..=2 => 0,
            3..=26 => source.below(64),
            27..=38 => source.below(1200),
            39..=43 => 3000 + source.below(3000),
            44..=46 => 4096 + source.below(20_000),
            _ => 100 << 10,
        };
        Self {
            kind: kind(source),
            size: size as usize,
        }
    }
}

fn kind(source: &mut impl Source) -> Kind {
    match source.below(6) {
        0..=2 => Kind::Text,
        3 => Kind::Number,
        _ => Kind::Bytes,
    }
}

fn key(source: &mut impl Source) -> String {
    match source.below(64) {
        0 => String::new(),
        1 => "k".repeat(513),
        2..=3 => "k".repeat(512),
        4..=35 => ["flash", "é", "user", "\u{10ffff}"][source.index(4)].to_owned(),
        _ => ordinary_key(source.below(80)),
    }
}

/// One of the keys that a prefix of [`prefix`] covers.
fn ordinary_key(number: u32) -> String {
    let prefix = ["cart/", "cart/x/", "seen/", "é/"][number as usize % 4];
    format!("{prefix}{:02}", number % 80)
}

fn prefix(source: &mut impl Source) -> String {
    match source.below(24) {
        0 => String::new(),
        1 => "k".repeat(513),
        2..=5 => "cart/".to_owned(),
        6..=9 => "cart/x/".to_owned(),
        10..=13 => "seen/".to_owned(),
        14..=16 => "é".to_owned(),
        17 => "nothing begins so".to_owned(),
        // Some ten keys, or one.
        _ => {
            let mut key = ordinary_key(source.below(80));
            if source.one_in(2) {
                key.pop();
            }
            key
        }
    }
}
