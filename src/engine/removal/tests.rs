use std::collections::HashMap;

use crate::engine::testing::{check_hash, open, rebuild};
use crate::{Database, Session, SessionDigest, SimulatedDisk};

const OWNERS: [&str; 4] = ["a", "ab", "b", "\0"];

/// Whose each session is, as a map knows it.
#[derive(Default)]
struct Model(HashMap<SessionDigest, &'static str>);

impl Model {
    fn set(&mut self, session: &Session, owner: Option<&'static str>) {
        let digest = session.id().digest();
        match owner {
            Some(owner) => self.0.insert(digest, owner),
            None => self.0.remove(&digest),
        };
    }

    fn check(&self, db: &Database, moment: &str) {
        for owner in OWNERS {
            let found = db.sessions_of(owner).unwrap();
            let mut found: Vec<_> = found.iter().map(|info| info.digest).collect();
            let expected = self.0.iter().filter(|(_, whose)| **whose == owner);
            let mut expected: Vec<_> = expected.map(|(digest, _)| *digest).collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{owner} {moment}");
        }
    }
}

fn step(db: &Database, rng: &mut fastrand::Rng, sessions: &mut Vec<Session>, model: &mut Model) {
    let owner = rng.choice(OWNERS);
    if sessions.len() < 4 || rng.u8(..5) == 0 {
        let session = db.create_session();
        session.set_owner(owner).unwrap();
        session.set("a", &1).unwrap();
        model.set(&session, owner);
        sessions.push(session);
        return;
    }
    let place = rng.usize(..sessions.len());
    match rng.u8(..8) {
        0..=2 => {
            let owner = owner.filter(|_| rng.u8(..4) > 0);
            sessions[place].set_owner(owner).unwrap();
            model.set(&sessions[place], owner);
        }
        3..=4 => {
            let owner = model.0.remove(&sessions[place].id().digest());
            sessions[place].cycle_id().unwrap();
            model.set(&sessions[place], owner);
        }
        5 => {
            let mut session = sessions.swap_remove(place);
            model.set(&session, None);
            session.destroy().unwrap();
        }
        6 => sessions[place].clear().unwrap(),
        _ => {
            let owner = owner.unwrap_or("a");
            let revoked = db.revoke_owner(owner).unwrap();
            let before = model.0.len();
            model.0.retain(|_, whose| *whose != owner);
            assert_eq!(revoked, (before - model.0.len()) as u64);
            sessions.retain(|session| session.owner().is_ok());
        }
    }
}

#[test]
fn the_table_of_owners_forgets_what_the_index_knows() {
    for seed in 0..20 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let disk = SimulatedDisk::new(seed).unwrap();
        let db = open(&disk);
        let (mut sessions, mut model) = (Vec::new(), Model::default());
        for count in 0..60 {
            step(&db, &mut rng, &mut sessions, &mut model);
            match rng.u8(..10) {
                0 => db.checkpoint().unwrap(),
                1 => rebuild(db.engine()),
                _ => {}
            }
            model.check(&db, &format!("after step {count} of seed {seed}"));
        }
        db.checkpoint().unwrap();
        assert!(db.engine().owners.is_empty(), "seed {seed}");
        check_hash(&db);
        db.verify().unwrap();
    }
}

#[test]
fn a_replay_leads_to_the_same_owners() {
    for seed in 20..30 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let disk = SimulatedDisk::new(seed).unwrap();
        let db = open(&disk);
        let (mut sessions, mut model) = (Vec::new(), Model::default());
        for count in 0..40 {
            step(&db, &mut rng, &mut sessions, &mut model);
            if count == 20 {
                db.checkpoint().unwrap();
            }
        }
        let disk = disk
            .crash(crate::Crash::KeepNothing, crate::IndexFate::Kept)
            .unwrap();
        let db = open(&disk);
        model.check(&db, &format!("after a crash of seed {seed}"));
        db.checkpoint().unwrap();
        assert!(db.engine().owners.is_empty(), "seed {seed}");
        model.check(&db, &format!("after a checkpoint of seed {seed}"));
        db.verify().unwrap();
    }
}
