//! Many handles of one session log in or out at the same time.

use sessiondb::{Error, Result, Session, SessionId};

use crate::racing::together_with;
use crate::support::{Fate, Scene, contents, named};

const THREADS: usize = 6;

/// What handles of one session each get when they begin at once.
fn together(
    scene: &Scene,
    id: &SessionId,
    work: impl Fn(usize, &mut Session) -> Result<SessionId> + Sync,
) -> Vec<Result<SessionId>> {
    let handles = (0..THREADS).map(|_| scene.handle(id)).collect();
    together_with(handles, |number, mut handle| work(number, &mut handle))
}

/// A session, in a segment every other time.
fn begin(round: usize) -> (Scene, SessionId) {
    let scene = Scene::new();
    let id = scene.written().id();
    if round.is_multiple_of(2) {
        scene.db.checkpoint().unwrap();
    }
    (scene, id)
}

#[test]
fn of_many_logins_exactly_one_succeeds() {
    for round in 0..40 {
        let (scene, id) = begin(round);
        let outcomes = together(&scene, &id, |number, session| {
            session.cycle_id_with(|tx| tx.set("winner", &number))
        });
        let mut winners = Vec::new();
        for (number, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(new) => winners.push((number, new)),
                Err(Error::SessionGone) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        let [(winner, new)] = winners[..] else {
            panic!("round {round}: {} winners", winners.len());
        };
        let scene = scene.after(Fate::ALL[round % Fate::ALL.len()]);
        let session = scene.handle(&new);
        assert_eq!(
            session.get("winner").unwrap(),
            Some(winner),
            "round {round}"
        );
        assert_eq!(session.len().unwrap(), 2, "round {round}");
        assert!(scene.db.is_retired(id).unwrap(), "round {round}");
        assert_eq!(scene.db.verify().unwrap().sessions, 1, "round {round}");
    }
}

#[test]
fn of_many_logouts_all_succeed_and_each_has_its_message() {
    for round in 0..40 {
        let (scene, id) = begin(round);
        let outcomes = together(&scene, &id, |number, session| {
            session.flush_with(|tx| {
                assert!(tx.is_empty()?);
                tx.set("message", &number)
            })
        });
        let scene = scene.after(Fate::ALL[round % Fate::ALL.len()]);
        for (number, new) in outcomes.into_iter().enumerate() {
            let expected = i64::try_from(number).unwrap();
            let found = contents(&scene.handle(&new.unwrap()));
            assert_eq!(found, named(&[("message", expected)]), "round {round}");
        }
        assert!(!scene.is_open(&id), "round {round}");
        assert!(scene.db.is_retired(id).unwrap(), "round {round}");
        let verified = scene.db.verify().unwrap();
        assert_eq!(verified.sessions, THREADS as u64, "round {round}");
    }
}

#[test]
fn among_logins_and_logouts_the_old_data_has_one_heir_at_most() {
    for round in 0..40 {
        let (scene, id) = begin(round);
        let outcomes = together(&scene, &id, |number, session| {
            if number % 2 == 0 {
                session.cycle_id_with(|tx| tx.set("login", &number))
            } else {
                session.flush_with(|tx| tx.set("message", &number))
            }
        });
        let scene = scene.after(Fate::ALL[round % Fate::ALL.len()]);
        let mut heirs = 0;
        for (number, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(new) => {
                    let session = scene.handle(&new);
                    let inherits = session.contains_key("user").unwrap();
                    assert_eq!(inherits, number % 2 == 0, "round {round}");
                    assert_eq!(session.len().unwrap(), 1 + usize::from(inherits));
                    heirs += usize::from(inherits);
                }
                Err(Error::SessionGone) => assert_eq!(number % 2, 0, "round {round}"),
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert!(heirs <= 1, "round {round}: {heirs}");
        assert!(!scene.is_open(&id), "round {round}");
        scene.is_sound();
    }
}
