//! One writer's durable operations against the floor.
//!
//! The two take turns, write by write, and the floor writes as many bytes as
//! the operation's frame has.

use std::time::Instant;

use sessiondb::{Database, Session};

use crate::Outcome;
use crate::floor::Floor;
use crate::report::{Report, Target};
use crate::samples::{Rounds, Samples};
use crate::workplace::Workplace;

/// Text of a small value.
pub(crate) fn small_value() -> String {
    "v".repeat(100)
}

/// Turns that are not counted.
const WARM_UP: usize = 20;
/// Sessions that `set` writes to.
const SESSIONS: usize = 16;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Set,
    Pop,
    Delete,
    Flush,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Pop => "pop",
            Self::Delete => "delete",
            Self::Flush => "flush",
        }
    }
}

/// What a round of one kind works on, made before its clock runs.
struct Prepared {
    kind: Kind,
    sessions: Vec<Session>,
    keys: Vec<String>,
    value: String,
}

impl Prepared {
    fn new(database: &Database, kind: Kind, count: usize) -> Outcome<Self> {
        let sessions = match kind {
            Kind::Set => SESSIONS,
            Kind::Pop | Kind::Delete => 1,
            Kind::Flush => count,
        };
        let keys: Vec<String> = (0..count).map(|key| format!("key-{key:06}")).collect();
        let value = small_value();
        let sessions: Vec<Session> = (0..sessions).map(|_| database.create_session()).collect();
        for session in &sessions {
            session.transaction(|tx| match kind {
                Kind::Set | Kind::Flush => tx.set("key-000000", &value),
                Kind::Pop | Kind::Delete => keys.iter().try_for_each(|key| tx.set(key, &value)),
            })?;
        }
        database.commit()?;
        Ok(Self {
            kind,
            sessions,
            keys,
            value,
        })
    }

    fn operate(&mut self, turn: usize) -> Outcome<()> {
        let place = turn % self.sessions.len();
        let session = self.sessions.get_mut(place).ok_or("no session is left")?;
        let key = self.keys.get(turn).ok_or("no key is left")?;
        match self.kind {
            Kind::Set => session.set("key-000000", &self.value)?,
            Kind::Pop => {
                session.pop::<String>(key)?.ok_or("nothing was popped")?;
            }
            Kind::Delete => session.delete(key)?,
            Kind::Flush => {
                session.flush()?;
            }
        }
        Ok(())
    }
}

/// Times of both sides.
#[derive(Default)]
struct Turns {
    operation: Samples,
    floor: Samples,
    ratios: Rounds,
}

impl Turns {
    fn round(&mut self, prepared: &mut Prepared, floor: &mut Floor, count: usize) -> Outcome<()> {
        let mut operation = Samples::default();
        let mut bare = Samples::default();
        for turn in 1..count {
            let floor_first = turn % 2 == 0;
            let mut before = floor_first.then(|| floor.write()).transpose()?;
            let start = Instant::now();
            prepared.operate(turn)?;
            let taken = start.elapsed();
            if !floor_first {
                before = Some(floor.write()?);
            }
            if turn > WARM_UP {
                operation.push(taken);
                bare.push(before.unwrap_or_default());
            }
        }
        self.ratios.0.push(operation.p50() / bare.p50());
        self.operation.append(operation);
        self.floor.append(bare);
        Ok(())
    }
}

fn names(kind: Kind) -> [String; 5] {
    let name = kind.name();
    [
        format!("durable {name}: p50 / floor"),
        format!("durable {name}: p50"),
        format!("durable {name}: p99"),
        format!("durable {name}: floor p50"),
        format!("durable {name}: floor p99"),
    ]
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for kind in [Kind::Set, Kind::Pop, Kind::Delete, Kind::Flush] {
        let names = names(kind);
        if report.wants_any(names.iter().map(String::as_str)) {
            measure_one(workplace, report, kind, names)?;
        }
    }
    Ok(())
}

fn measure_one(
    workplace: &Workplace,
    report: &mut Report,
    kind: Kind,
    names: [String; 5],
) -> Outcome<()> {
    let place = workplace.place(kind.name());
    let count = workplace.length.choose(300, 600, 1500);
    let rounds = workplace.length.choose(3, 7, 9);
    let database = Database::open(&place)?;
    let mut turns = Turns::default();
    let mut frame = 0;
    for _ in 0..rounds {
        let mut prepared = Prepared::new(&database, kind, count)?;
        frame = frame_bytes(&database, &mut prepared)?;
        let mut floor = Floor::new(&place.with_extension("floor"), frame)?;
        turns.round(&mut prepared, &mut floor, count)?;
    }
    database.close()?;
    let [ratio, p50, p99, floor_p50, floor_p99] = names;
    let limit = Target::AtMost(1.25);
    let spread = turns.ratios.spread();
    report.add(ratio, turns.ratios.median(), "times", limit, spread);
    let bytes = format!("{frame} bytes");
    report.add(p50, turns.operation.p50(), "us", Target::None, bytes);
    report.add(p99, turns.operation.p99(), "us", Target::None, "");
    report.add(floor_p50, turns.floor.p50(), "us", Target::None, "");
    report.add(floor_p99, turns.floor.p99(), "us", Target::None, "");
    Ok(())
}

/// Does the operation once and sees by how much the journal grew.
fn frame_bytes(database: &Database, prepared: &mut Prepared) -> Outcome<usize> {
    let before = database.stats().journal_live_bytes;
    prepared.operate(0)?;
    let after = database.stats().journal_live_bytes;
    let grown = after.checked_sub(before).filter(|grown| *grown > 0);
    Ok(usize::try_from(
        grown.ok_or("a checkpoint came in between")?,
    )?)
}
