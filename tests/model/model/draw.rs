//! Drawing operations from a source of choices.

use sessiondb::{Crash, IndexFate};

use super::operation::{Accident, Action, Blow, Ending, Guess, Operation, Recipe, Whose};
use super::step::Walk;
use super::value::Kind;

/// Handles that can be held at a time.
pub(crate) const SLOTS: u32 = 6;

/// Where choices come from.
pub(crate) trait Source {
    /// A number under `limit`, which is not 0.
    fn below(&mut self, limit: u32) -> u32;

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    fn index(&mut self, limit: u32) -> usize {
        self.below(limit) as usize
    }
}

impl Source for fastrand::Rng {
    fn below(&mut self, limit: u32) -> u32 {
        self.u32(..limit.max(1))
    }
}

/// The bytes of a fuzzer, two for each choice; zeros once they are spent.
#[derive(Debug)]
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Bytes<'_> {
    pub(crate) fn is_spent(&self) -> bool {
        self.0.is_empty()
    }
}

impl Source for Bytes<'_> {
    fn below(&mut self, limit: u32) -> u32 {
        let mut number = 0;
        for _ in 0..2 {
            if let Some((first, rest)) = self.0.split_first() {
                number = number << 8 | u32::from(*first);
                self.0 = rest;
            }
        }
        number % limit.max(1)
    }
}

impl Operation {
    pub(crate) fn draw(source: &mut impl Source) -> Self {
        let slot = source.index(SLOTS);
        match source.below(200) {
            0..=8 => Self::Create {
                slot,
                deferred: source.one_in(2),
            },
            9..=25 => Self::Open {
                slot,
                whose: whose(source),
                deferred: source.one_in(2),
            },
            26..=129 => Self::Act {
                slot,
                action: Action::draw(source),
            },
            130..=145 => Self::Transaction {
                slot,
                actions: (0..=source.below(6))
                    .map(|_| Action::draw(source))
                    .collect(),
                fails: source.one_in(5),
            },
            146..=151 => fill(slot, source),
            152..=165 => Self::End {
                slot,
                ending: match source.below(7) {
                    0..=2 => Ending::Flush,
                    3..=5 => Ending::Cycle,
                    _ => Ending::Destroy,
                },
            },
            166..=172 => Self::Commit {
                slot: source.one_in(2).then_some(slot),
            },
            173..=184 => Self::Checkpoint,
            185..=186 => Self::Verify,
            187..=190 => Self::Reopen {
                cleanly: source.one_in(2),
            },
            191..=194 => Self::Crash(Accident::draw(source)),
            _ => Self::PowerOff {
                after: u64::from(source.below(30)),
                then: Accident::draw(source),
            },
        }
    }
}

fn whose(source: &mut impl Source) -> Whose {
    match source.below(10) {
        0..=6 => Whose::Living(source.index(1000)),
        7..=8 => Whose::Anybody(source.index(1000)),
        _ if source.one_in(2) => Whose::Nobody(u64::from(source.below(u32::MAX))),
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
        match source.below(40) {
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
        4..=15 => ["flash", "é", "user", "\u{10ffff}"][source.index(4)].to_owned(),
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
