//! What is done in a round, and how its database is opened.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Action, Config, Durabilities, Ending, Kind, Operation, Turn, Walk, Whose};
use crate::power::{fill, remove_prefix, set};

/// Longer than most sessions live.
const LONG: Duration = Duration::from_secs(60 * 86_400);
/// Handles of the same session: of somebody who does not wait for the disk, and
/// of somebody who does.
const WRITER: usize = 1;
const READER: usize = 0;
/// A handle of another session that does not wait either.
const OTHER: usize = 3;

/// So small that all there is to do in the background is due often; and no
/// thread writes by itself.
pub(crate) fn draw_config(random: &mut fastrand::Rng) -> Config {
    let config = Config::draw(random);
    let durabilities = if random.bool() {
        Durabilities::Both
    } else {
        config.durabilities
    };
    Config {
        sync_within: Duration::from_secs(3600),
        index_bytes: 0,
        durabilities,
        ..config
    }
}

/// Operations that are to come before others are drawn.
pub(crate) struct Script(VecDeque<Operation>);

impl Script {
    /// How a round begins: with what seldom comes by itself, large sessions
    /// whose rows are to be swept, or some that are to be purged.
    pub(crate) fn new(seed: u64) -> Self {
        let mut script = VecDeque::new();
        if seed.is_multiple_of(2) {
            for slot in 0..3 {
                script.push_back(fill(slot, 40));
            }
            script.push_back(Operation::Checkpoint);
            for slot in 0..3 {
                let ending = Ending::Flush;
                script.push_back(Operation::End { slot, ending });
            }
            script.push_back(Operation::Compact);
        } else {
            for slot in 0..4 {
                script.push_back(set(slot, "user", 700));
            }
            script.push_back(Operation::Checkpoint);
            script.push_back(set(4, "not in the segments", 700));
            script.push_back(Operation::Clock(Turn::Forward(LONG)));
            script.push_back(Operation::Purge);
        }
        Self(script)
    }

    /// The next one of them, or any.
    pub(crate) fn next(&mut self, random: &mut fastrand::Rng) -> Operation {
        if self.0.is_empty() && random.u32(..12) == 0 {
            self.0.extend(look(random));
        }
        self.0.pop_front().unwrap_or_else(|| draw(random))
    }
}

/// Somebody writes and does not wait, somebody else sees it, and is promised
/// that it stays; then something else is written that nobody is promised.
fn look(random: &mut fastrand::Rng) -> [Operation; 5] {
    let whose = Whose::Living(random.usize(..1000));
    let open = |slot| Operation::Open {
        slot,
        whose,
        deferred: slot == WRITER,
    };
    let act = |slot, action| Operation::Act { slot, action };
    let key = format!("{:?}", "seen");
    let end = |ending| Operation::End {
        slot: WRITER,
        ending,
    };
    let write = match random.u32(..10) {
        0..=4 => set(WRITER, "seen", random.usize(..3000)),
        5 => remove_prefix(WRITER, ""),
        6 => act(WRITER, Action::Clear),
        7 => end(Ending::Cycle),
        8 => end(Ending::Flush),
        _ => end(Ending::Destroy),
    };
    let read = match random.u32(..8) {
        0..=2 => act(READER, Action::Get(key, Kind::Text)),
        3..=4 => act(READER, Action::Contains(key)),
        5 => act(READER, Action::Walk(Walk::Map)),
        6 => act(READER, Action::Walk(Walk::Length)),
        _ => Operation::Ask { slot: READER },
    };
    let other = set(OTHER, "not seen", random.usize(..3000));
    [open(WRITER), open(READER), write, read, other]
}

fn draw(random: &mut fastrand::Rng) -> Operation {
    match random.u32(..24) {
        0..=2 => Operation::Checkpoint,
        3 => Operation::Compact,
        4 => Operation::Erase,
        5 => Operation::Purge,
        6..=7 => Operation::Reopen {
            cleanly: random.bool(),
            terms: None,
        },
        8..=10 => fill(random.usize(..6), random.usize(20..60)),
        _ => draw_other(random),
    }
}

/// Without crashes: they come anyway.
pub(crate) fn draw_other(random: &mut fastrand::Rng) -> Operation {
    loop {
        match Operation::draw(random) {
            Operation::Crash(_) | Operation::PowerOff { .. } => {}
            Operation::Reopen { cleanly, .. } => {
                return Operation::Reopen {
                    cleanly,
                    terms: None,
                };
            }
            operation => return operation,
        }
    }
}
