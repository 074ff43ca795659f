//! Operations on the database as a whole, and what a crash has left of it.

use std::sync::Arc;

use sessiondb::{Crash, Database, Error, IndexFate};

use super::answer::{Answer, answer, entries};
use super::history::{Name, Sessions};
use super::operation::{Accident, Blow};
use super::place::Place;
use super::run::Run;
use super::step::Keys;

impl Run {
    pub(crate) fn checkpoint(&mut self) {
        let told = answer(self.database().checkpoint(), |()| Answer::Done);
        if self.agrees(&"checkpoint", &Answer::Done, &told) {
            self.history.settle_all();
            self.tally.checkpoints += 1;
        }
    }

    /// Everything is checked, and there is as much of it as the model holds.
    pub(crate) fn verify(&mut self) {
        let verified = match self.database().verify() {
            Ok(verified) => verified,
            Err(error) => return self.expect_power_off("verify", &error),
        };
        self.history.settle_all();
        let sessions = self.history.now();
        let keys: usize = sessions.values().map(|keys| keys.len()).sum();
        let expected = (sessions.len() as u64, keys as u64);
        let found = (verified.sessions, verified.keys);
        assert_eq!(found, expected, "{}: sessions and keys", self.label);
        self.unverified = false;
        let (segments, journal) = self.place.files();
        if verified.pages < self.last_pages {
            self.tally.pages_gone += 1;
        }
        self.last_pages = verified.pages;
        self.tally.pages = self.tally.pages.max(verified.pages);
        self.tally.segment_files = self.tally.segment_files.max(segments);
        self.tally.journal_files = self.tally.journal_files.max(journal);
    }

    pub(crate) fn reopen(&mut self, cleanly: bool) {
        self.verify_if_due();
        if self.place.is_off() {
            return;
        }
        if cleanly {
            if let Err(error) = self.database().close() {
                return self.expect_power_off("close", &error);
            }
            self.history.settle_all();
            for handle in self.handles.iter().flatten() {
                let closed = handle.session.contains_key("key");
                let as_expected = matches!(closed, Err(Error::Closed));
                assert!(as_expected, "{}: closed, but {closed:?}", self.label);
            }
        }
        self.drop_all();
        if self.place.is_off() {
            return;
        }
        self.history.settle_all();
        self.tally.reopens += 1;
        match self.place.open(&self.config) {
            Ok(database) => self.database = Some(database),
            Err(error) => return self.expect_power_off("opening", &error),
        }
        self.check_all("after a reopening");
        if !self.place.is_off() {
            self.verify();
        }
    }

    /// A verification that an accident left for later is made before the next.
    fn verify_if_due(&mut self) {
        if self.unverified {
            self.verify();
        }
    }

    fn drop_all(&mut self) {
        self.handles.iter_mut().for_each(|handle| *handle = None);
        self.database = None;
    }

    /// Everything that was ever given out is as the model says it is.
    pub(crate) fn check_all(&mut self, when: &str) {
        match self.read_all(&self.database()) {
            Ok(found) => {
                let difference = difference(self.history.now(), &found);
                assert!(
                    difference.is_empty(),
                    "{}: {when}: {difference:?}",
                    self.label
                );
            }
            Err(error) => self.expect_power_off(when, &error),
        }
    }

    /// All sessions of all IDs that were ever given out.
    fn read_all(&self, database: &Database) -> Result<Sessions, Error> {
        let mut sessions = Sessions::new();
        for (number, id) in self.ids.iter().enumerate() {
            if let Some(session) = database.open_session(id)? {
                let keys: Keys = entries(session.iter())?.into_iter().collect();
                sessions.insert(Name(number), Arc::new(keys));
            }
        }
        Ok(sessions)
    }

    /// The disk crashes, perhaps several times in a row.
    pub(crate) fn fall(&mut self, accident: &Accident) {
        self.armed = None;
        let last = Blow::new(Crash::Prefix(self.stamp), IndexFate::Kept);
        for blow in accident.blows.iter().copied() {
            self.strike(blow);
        }
        // The last opening may have been cut off.
        if self.database.is_none() {
            self.strike(last);
        }
        self.look();
        self.unverified = true;
        if accident.verify {
            self.verify();
        }
    }

    fn strike(&mut self, blow: Blow) {
        let Some(disk) = self.place.disk() else {
            return;
        };
        let survivor = disk
            .crash(blow.crash, blow.index)
            .expect("a copy of the index");
        self.tally.crashes += 1;
        // The old disk is off: whatever the old handles still do is lost.
        self.drop_all();
        if let Some(operations) = blow.opening {
            survivor.power_off_after(operations);
        }
        self.place = Place::Simulated(survivor.clone());
        let opened = self.place.open(&self.config);
        if survivor.is_off() {
            self.tally.openings_cut += 1;
            return;
        }
        match opened {
            Ok(database) => self.database = Some(database),
            Err(error) => panic!("{}: no opening after {blow:?}: {error:?}", self.label),
        }
        survivor.power_off_after(u64::MAX);
        if blow.look {
            self.look();
        }
    }

    /// What a crash has left has to be one of the states that it may leave.
    fn look(&mut self) {
        let found = match self.read_all(&self.database()) {
            Ok(found) => found,
            Err(error) => panic!("{}: a crash left {error:?}", self.label),
        };
        self.check_promises(&found);
        let pending = self.history.pending();
        match self.history.recognise(&found) {
            Some(0) if pending > 0 => self.tally.unacknowledged_kept += 1,
            Some(0) => {}
            Some(_) => self.tally.crashes_that_took += 1,
            None => panic!(
                "{}: none of {} states was left by a crash; to the durable one: {:?}; to the last: {:?}",
                self.label,
                pending + 1,
                difference(self.history.durable(), &found),
                difference(self.history.now(), &found),
            ),
        }
    }

    /// What was promised by itself, whatever the history says.
    fn check_promises(&self, found: &Sessions) {
        for (name, keys) in found {
            assert!(
                !self.buried.contains(name),
                "{}: {name:?} is back",
                self.label
            );
            for value in keys.values().filter(|value| value.is_unique()) {
                let back = self.spent.contains(&value.mark());
                assert!(!back, "{}: {value:?} of {name:?} is back", self.label);
            }
        }
    }
}

/// What differs, session by session and key by key: expected, found.
fn difference(expected: &Sessions, found: &Sessions) -> Vec<String> {
    let mut lines = Vec::new();
    let names = expected
        .keys()
        .chain(found.keys().filter(|name| !expected.contains_key(*name)));
    for name in names {
        match (expected.get(name), found.get(name)) {
            (Some(expected), Some(found)) => {
                let keys = expected.keys().chain(found.keys());
                let mut keys: Vec<&String> = keys.collect();
                keys.sort_unstable();
                keys.dedup();
                let differing = keys
                    .into_iter()
                    .filter(|key| expected.get(*key) != found.get(*key));
                lines.extend(differing.map(|key| {
                    format!(
                        "{name:?} {key:?}: {:?}, found {:?}",
                        expected.get(key),
                        found.get(key)
                    )
                }));
            }
            (Some(_), None) => lines.push(format!("{name:?} is missing")),
            (None, _) => lines.push(format!("{name:?} should not be there")),
        }
    }
    lines.truncate(12);
    lines
}
