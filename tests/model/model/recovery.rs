//! Operations on the database as a whole, and what a crash has left of it.

use sessiondb::{Crash, Error, IndexFate, Verified};

use super::answer::{Answer, answer};
use super::found::Found;
use super::operation::{Accident, Blow};
use super::place::Place;
use super::run::Run;
use super::terms::Terms;
use super::time::Time;

impl Run {
    pub(crate) fn checkpoint(&mut self) {
        let told = answer(self.database().checkpoint(), |()| Answer::Done);
        if self.agrees(&"checkpoint", &Answer::Done, &told) {
            self.history.settle_checkpoint();
            self.tally.checkpoints += 1;
        }
    }

    /// A checkpoint comes first.
    pub(crate) fn compact(&mut self) {
        let mut freed = 0;
        let before = self.place.indexes();
        let told = answer(self.database().compact(), |reclaimed| {
            freed = reclaimed.freed_bytes;
            Answer::Done
        });
        if self.agrees(&"compact", &Answer::Done, &told) {
            self.history.settle_checkpoint();
            self.tally.compactions += 1;
            self.tally.files_emptied += u64::from(freed > 0);
            self.tally.renewals += u64::from(self.place.indexes() != before);
        }
    }

    /// Everything is checked, and there is as much of it as the model holds.
    pub(crate) fn verify(&mut self) {
        let verified = match self.database().verify() {
            Ok(verified) => verified,
            Err(error) => return self.expect_power_off("verify", &error),
        };
        self.history.settle_checkpoint();
        self.check_counts(&verified);
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

    /// What is over is counted until it is removed, a key by a checkpoint that
    /// comes by, a session by a purge.
    fn check_counts(&mut self, verified: &Verified) {
        let moment = self.moment();
        if self.config.background {
            self.history.doubt_all_over(&moment);
        }
        let latest = moment.now.max(self.history.before);
        let doubtful = self.history.doubtful.values().flatten();
        let more_sessions = self.history.doubtful.len() as u64;
        let mut least_keys = 0;
        let mut more_keys = 0;
        for session in doubtful {
            more_keys += session.keys.len() + session.faded.len();
        }
        let sessions = &self.history.now().sessions;
        for session in sessions.values() {
            let over = session.keys.values().filter(|held| held.is_over(latest));
            let over = over.count();
            least_keys += session.keys.len() - over;
            more_keys += over + session.faded.len();
        }
        let least_sessions = sessions.len() as u64;
        let (least_keys, more_keys) = (least_keys as u64, more_keys as u64);
        let may_be_sessions = least_sessions..=least_sessions + more_sessions;
        let may_be_keys = least_keys..=least_keys + more_keys;
        assert!(
            may_be_sessions.contains(&verified.sessions) && may_be_keys.contains(&verified.keys),
            "{}: {verified:?}, not {may_be_sessions:?} sessions and {may_be_keys:?} keys",
            self.label
        );
    }

    pub(crate) fn reopen(&mut self, cleanly: bool, terms: Option<Terms>) {
        if self.shut(cleanly) {
            self.open_again(terms);
        }
    }

    /// Closes, or just drops every handle. False when the power went.
    pub(crate) fn shut(&mut self, cleanly: bool) -> bool {
        self.verify_if_due();
        if self.place.is_off() {
            return false;
        }
        if cleanly {
            if let Err(error) = self.database().close() {
                self.expect_power_off("close", &error);
                return false;
            }
            self.history.settle_checkpoint();
            for handle in self.handles.iter().flatten() {
                let closed = handle.session.contains_key("key");
                let as_expected = matches!(closed, Err(Error::Closed));
                assert!(as_expected, "{}: closed, but {closed:?}", self.label);
            }
        }
        self.drop_all();
        // A drop tells nobody what it could not do.
        if self.is_off() {
            return false;
        }
        self.history.settle_all();
        true
    }

    /// Opens what was shut, perhaps under other terms.
    pub(crate) fn open_again(&mut self, terms: Option<Terms>) {
        self.tally.reopens += 1;
        // A purge of its own may have come before terms under which nothing
        // would be over.
        if let Some(terms) = terms.filter(|_| !self.config.background) {
            self.config.terms = terms;
        }
        match self.open_database() {
            Ok(database) => self.database = Some(database),
            Err(error) => return self.expect_power_off("opening", &error),
        }
        match self.read_all() {
            Ok(found) => {
                self.check_promises(&found);
                self.recognise(&found, "a reopening");
            }
            Err(error) => return self.expect_power_off("a look after a reopening", &error),
        }
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
        match self.read_all() {
            Ok(found) => {
                let differences = self.history.check(&found, self.moment());
                assert!(
                    differences.is_empty(),
                    "{}: {when}: {differences:?}",
                    self.label
                );
            }
            Err(error) => self.expect_power_off(when, &error),
        }
    }

    fn read_all(&self) -> Result<Found, Error> {
        Found::read(&self.database(), &self.ids)
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
        self.limit = blow.opening.unwrap_or(u64::MAX);
        self.place = Place::Simulated(survivor.clone());
        let opened = self.open_database();
        self.disarm();
        if survivor.is_off() {
            self.tally.openings_cut += 1;
            return;
        }
        match opened {
            Ok(database) => self.database = Some(database),
            Err(error) => panic!("{}: no opening after {blow:?}: {error:?}", self.label),
        }
        if blow.look {
            self.look();
        }
    }

    /// Opens what a crash has left, and looks at it.
    pub(crate) fn wake(&mut self) {
        match self.open_database() {
            Ok(database) => self.database = Some(database),
            Err(error) => panic!("{}: no opening: {error:?}", self.label),
        }
        self.look();
        self.unverified = true;
    }

    /// What a crash has left has to be one of the states that it may leave.
    fn look(&mut self) {
        let found = match self.read_all() {
            Ok(found) => found,
            Err(error) => panic!("{}: a crash left {error:?}", self.label),
        };
        self.check_promises(&found);
        let pending = self.history.pending();
        match self.recognise(&found, "a crash") {
            0 if pending > 0 => self.tally.unacknowledged_kept += 1,
            0 => {}
            _ => self.tally.crashes_that_took += 1,
        }
    }

    /// Goes on from what an opening has found. How many changes were lost.
    fn recognise(&mut self, found: &Found, after: &str) -> usize {
        let moment = self.moment();
        let before = self.history.before;
        let pending = self.history.pending();
        let lost = match self.history.recognise(found, moment) {
            Ok(lost) => lost,
            Err([last, durable]) => panic!(
                "{}: none of {} states was left by {after}; to the durable one: {durable:?}; \
                 to the last: {last:?}",
                self.label,
                pending + 1,
            ),
        };
        self.count_retired();
        let is_earlier = |time: Option<Time>| time.is_some_and(|end| end <= before);
        let state = self.history.now();
        let mut seen_again = found.sessions.iter().filter(|(name, seen)| {
            let Some(session) = state.sessions.get(name) else {
                return false;
            };
            let keys = session.keys.iter();
            let mut keys = keys.filter(|(key, _)| seen.keys.contains_key(*key));
            is_earlier(moment.terms.expires_at(session))
                || keys.any(|(_, held)| is_earlier(held.deadline))
        });
        self.tally.life.seen_again += u64::from(seen_again.next().is_some());
        lost
    }

    fn count_retired(&mut self) {
        let moment = self.moment();
        for name in self.history.now().retired.keys() {
            match self.history.retires(*name, moment) {
                Some(true) => self.tally.life.retired += 1,
                Some(false) => self.tally.life.forgotten += 1,
                None => {}
            }
        }
    }

    /// What was promised by itself, whatever the history says.
    fn check_promises(&self, found: &Found) {
        for (name, seen) in &found.sessions {
            assert!(
                !self.buried.contains(name),
                "{}: {name:?} is back",
                self.label
            );
            for value in seen.keys.values().filter(|value| value.is_unique()) {
                let back = self.spent.contains(&value.mark());
                assert!(!back, "{}: {value:?} of {name:?} is back", self.label);
            }
        }
    }
}
