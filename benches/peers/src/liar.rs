//! Engines that do less than they say. The check has to find each of them out,
//! or it says nothing.

use std::time::Duration;

use crate::Outcome;
use crate::engine::{Engine, Entry, Id, Kind, Setup};

/// What it does not do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lie {
    /// A set that is small talk.
    Set,
    /// A pop that leaves the value there.
    Pop,
    /// A request that writes the first change only.
    Request,
    /// A logout that leaves everything there.
    Flush,
    /// An end of sessions that nobody has seen for long.
    Expiry,
    /// A close that leaves behind what comes back at the next opening.
    Reopening,
}

pub(crate) const LIES: [Lie; 6] = [
    Lie::Set,
    Lie::Pop,
    Lie::Request,
    Lie::Flush,
    Lie::Expiry,
    Lie::Reopening,
];

struct Liar {
    honest: Box<dyn Engine>,
    lie: Lie,
}

/// Opens an engine that is honest but for one thing.
pub(crate) fn open(kind: &Kind, setup: &Setup, lie: Lie) -> Outcome<Box<dyn Engine>> {
    let mut setup = setup.clone();
    match lie {
        Lie::Expiry => setup.idle_timeout = Duration::from_secs(86_400),
        // The data of the next opening are not those of the last.
        Lie::Reopening if setup.directory.exists() => setup.directory.push("other"),
        _ => {}
    }
    Ok(Box::new(Liar {
        honest: kind.open(&setup)?,
        lie,
    }))
}

impl Engine for Liar {
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>> {
        self.honest.create(sessions)
    }

    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool> {
        match self.lie {
            Lie::Set => self.honest.load(id, &mut |_, _| {}),
            _ => self.honest.set(id, key, value),
        }
    }

    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        self.honest.get(id, key, look)
    }

    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>> {
        let Lie::Pop = self.lie else {
            return self.honest.pop(id, key);
        };
        let mut found = None;
        self.honest
            .get(id, key, &mut |value| found = Some(value.to_vec()))?;
        Ok(found)
    }

    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool> {
        self.honest.load(id, look)
    }

    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool> {
        let changes = match self.lie {
            Lie::Request => changes.get(..1).unwrap_or_default(),
            _ => changes,
        };
        self.honest.request(id, changes, look)
    }

    fn flush(&self, id: &Id) -> Outcome<Option<Id>> {
        let Lie::Flush = self.lie else {
            return self.honest.flush(id);
        };
        let lives = self.honest.load(id, &mut |_, _| {})?;
        Ok(lives.then_some(crate::row::new_id()?))
    }

    fn sync(&self) -> Outcome<()> {
        self.honest.sync()
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.honest.close()
    }
}
