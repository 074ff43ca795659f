//! Random things are done to sessions with owners until the power goes, and
//! what was acknowledged is there afterwards, with and without the index.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use sessiondb::{Clock as _, Crash, Error, IndexFate, Session, SessionId};

use crate::racing::{rounds, seed, watched};
use crate::support::{IDLE, Scene, quiet};

const OWNERS: [&str; 4] = ["user:1", "user:10", "user:1\0", "user:2"];

/// What is known of a session that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    owner: Option<&'static str>,
    last_seen: SystemTime,
}

/// What the database should hold. IDs have no order, tokens do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    alive: BTreeMap<String, Known>,
    /// And until when it is to be remembered.
    dead: Vec<(String, SystemTime)>,
}

fn id(token: &str) -> SessionId {
    token.parse().unwrap()
}

impl Model {
    fn kill(&mut self, token: &str) {
        if let Some(known) = self.alive.remove(token) {
            // It died then or later.
            self.dead.push((token.to_owned(), known.last_seen + IDLE));
        }
    }

    fn of(&self, owner: &str) -> Vec<String> {
        let of_owner = self.alive.iter();
        let of_owner = of_owner.filter(|(_, known)| known.owner == Some(owner));
        of_owner.map(|(token, _)| token.clone()).collect()
    }

    fn see(&mut self, token: &str, now: SystemTime) {
        if let Some(known) = self.alive.get_mut(token) {
            known.last_seen = now;
        }
    }

    /// Gives a session to somebody, and has others go if it must be.
    fn join(&mut self, token: &str, owner: Option<&'static str>, now: SystemTime, cap: usize) {
        let known = self.alive.get_mut(token).expect("alive");
        if known.owner == owner {
            return;
        }
        *known = Known {
            owner,
            last_seen: now,
        };
        let Some(owner) = owner else { return };
        let mut others = self.of(owner);
        others.retain(|other| other != token);
        others.sort_by_key(|other| self.alive[other].last_seen);
        let too_many = (others.len() + 1).saturating_sub(cap);
        for other in others.into_iter().take(too_many) {
            self.kill(&other);
        }
    }

    fn expire(&mut self, now: SystemTime) {
        let over = self.alive.iter();
        let over = over.filter(|(_, known)| now >= known.last_seen + IDLE);
        let over: Vec<_> = over.map(|(token, _)| token.clone()).collect();
        for token in over {
            self.kill(&token);
        }
    }

    /// How the database differs from this; nothing when it does not.
    fn difference(&self, scene: &Scene) -> Option<String> {
        for (token, known) in &self.alive {
            let info = scene.db.inspect(&id(token).digest()).unwrap();
            let found = info.map(|info| (info.owner, info.last_seen));
            let expected = (known.owner.map(String::from), known.last_seen);
            if found.as_ref() != Some(&expected) {
                return Some(format!("{expected:?}, but found {found:?}"));
            }
        }
        let now = scene.clock.now();
        for (token, until) in &self.dead {
            if scene.db.open_session(&id(token)).unwrap().is_some() {
                return Some("one came back".into());
            }
            if now < *until && !scene.db.is_retired(id(token)).unwrap() {
                return Some("one is dead and not retired".into());
            }
        }
        let all = scene.db.sessions().count();
        if all != self.alive.len() {
            return Some(format!("{all} sessions, not {}", self.alive.len()));
        }
        for owner in OWNERS {
            let mut expected = self.of(owner);
            expected.sort_by_key(|token| std::cmp::Reverse(self.alive[token].last_seen));
            let expected: Vec<_> = expected.iter().map(|token| id(token).digest()).collect();
            let found = crate::support::digests(&scene.db, owner);
            if found != expected {
                return Some(format!("{found:?} of {owner:?}, not {expected:?}"));
            }
        }
        None
    }
}

/// A random life of a database.
struct Life {
    scene: Scene,
    random: fastrand::Rng,
    cap: usize,
    model: Model,
}

impl Life {
    fn owner(&mut self) -> Option<&'static str> {
        let number = self.random.usize(0..=OWNERS.len());
        OWNERS.get(number).copied()
    }

    /// Does something. Returns how the database should be if it was done; the
    /// error is that of the power.
    fn step(&mut self) -> (Model, Result<(), Error>) {
        self.scene.tick();
        if self.random.u8(..50) == 0 {
            self.scene.clock.advance(IDLE / 3);
        }
        let now = self.scene.clock.now();
        // It expires at once, whatever comes next.
        self.model.expire(now);
        let mut after = self.model.clone();
        let owner = self.owner();
        let tokens: Vec<_> = after.alive.keys().cloned().collect();
        let token = self.random.choice(tokens);
        let outcome = match (self.random.u8(..20), token) {
            (0..5, _) | (_, None) => self.create(&mut after, owner, now),
            (5..17, Some(token)) => match self.scene.db.open_session(&id(&token)) {
                Ok(Some(session)) => self.change(session, &token, &mut after, owner, now),
                Ok(None) => panic!("a session is missing"),
                Err(error) => Err(error),
            },
            (17, _) => self.scene.db.checkpoint(),
            (18, _) => self.scene.db.purge_expired().map(drop),
            (_, Some(token)) => self.revoke(&token, &mut after),
        };
        (after, outcome)
    }

    fn create(
        &self,
        after: &mut Model,
        owner: Option<&'static str>,
        now: SystemTime,
    ) -> Result<(), Error> {
        let session = self.scene.db.create_session();
        let token = session.id().to_string();
        let known = Known {
            owner: None,
            last_seen: now,
        };
        after.alive.insert(token.clone(), known);
        after.join(&token, owner, now, self.cap);
        session.set_owner(owner)?;
        session.set("n", &0)
    }

    fn change(
        &mut self,
        mut session: Session,
        token: &str,
        after: &mut Model,
        owner: Option<&'static str>,
        now: SystemTime,
    ) -> Result<(), Error> {
        match self.random.u8(..8) {
            0..=2 => {
                after.join(token, owner, now, self.cap);
                session.set_owner(owner)
            }
            3 => {
                after.see(token, now);
                session.set_bytes("page", &vec![7; self.random.usize(0..600)])
            }
            4 => {
                after.see(token, now);
                session.transaction(|tx| {
                    tx.clear()?;
                    tx.set("n", &1)
                })
            }
            5 => {
                after.kill(token);
                session.flush().map(drop)
            }
            6 => {
                after.kill(token);
                session.destroy()
            }
            _ => {
                let known = after.alive[token].clone();
                let outcome = session.cycle_id_with(|tx| {
                    tx.set("n", &2)?;
                    tx.set_owner(owner)
                });
                // Whose outcome is unknown has the new ID in its handle.
                let new = session.id().to_string();
                if new == token {
                    return outcome.map(drop);
                }
                after.kill(token);
                after.alive.insert(new.clone(), known);
                after.see(&new, now);
                after.join(&new, owner, now, self.cap);
                outcome.map(drop)
            }
        }
    }

    fn revoke(&mut self, token: &str, after: &mut Model) -> Result<(), Error> {
        let owner = OWNERS[self.random.usize(0..OWNERS.len())];
        match self.random.u8(..3) {
            0 => {
                after.kill(token);
                self.scene.db.revoke(id(token)).map(drop)
            }
            1 => {
                let mine = after.of(owner);
                for other in &mine {
                    after.kill(other);
                }
                let revoked = self.scene.db.revoke_owner(owner)?;
                assert_eq!(revoked, mine.len() as u64);
                Ok(())
            }
            _ => {
                let mut mine = after.of(owner);
                mine.retain(|other| other != token);
                for other in &mine {
                    after.kill(other);
                }
                let revoked = self.scene.db.revoke_owner_except(owner, &id(token))?;
                assert_eq!(revoked, mine.len() as u64);
                Ok(())
            }
        }
    }
}

/// Lives until the power goes, and looks at what is left.
fn live_and_crash(seed: u64, cap: Option<usize>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let scene = Scene::with(quiet().sessions_per_owner(cap).segment_bytes(8 << 10));
    let mut life = Life {
        scene,
        cap: cap.unwrap_or(usize::MAX),
        model: Model::default(),
        random: random.fork(),
    };
    for crash in 0..3 {
        life.scene.disk.power_off_after(random.u64(20..400));
        // What may be, when the outcome of the last step is unknown.
        let after = loop {
            let (after, outcome) = life.step();
            match outcome {
                Ok(()) => life.model = after,
                Err(Error::Poisoned { .. } | Error::Io { .. }) => break after,
                Err(error) => panic!("seed {seed}: {error}"),
            }
        };
        let how = match random.u8(..4) {
            0 => Crash::KeepNothing,
            1 => Crash::KeepAll,
            2 => Crash::Prefix(random.u64(..)),
            _ => Crash::Random(random.u64(..)),
        };
        let index = if random.bool() {
            IndexFate::Kept
        } else {
            IndexFate::Lost
        };
        let what = format!("seed {seed}, crash {crash}: {how:?}, {index:?}");
        life.scene = life.scene.crashed(how, index);
        if let Some(from_before) = life.model.difference(&life.scene) {
            let from_after = after.difference(&life.scene);
            assert_eq!(
                from_after, None,
                "{what}: neither without the last step ({from_before}) nor with it"
            );
            life.model = after;
        }
        let verified = life.scene.db.verify();
        verified.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(life.model.difference(&life.scene), None, "{what}, verified");
        life.scene.clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn what_was_acknowledged_of_owners_is_there_after_a_crash() {
    watched(|| {
        let first = seed();
        for round in 0..rounds(12) as u64 {
            live_and_crash(first.wrapping_add(round), None);
        }
    });
}

#[test]
fn the_same_with_a_cap() {
    watched(|| {
        let first = seed();
        for round in 0..rounds(12) as u64 {
            live_and_crash(first.wrapping_add(round), Some(2));
        }
    });
}
