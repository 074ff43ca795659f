//! Of many callers with one ID exactly one makes the session.

use sessiondb::{Database, Error, Expiry, Result, SessionId};

use super::{id, is_dead};
use crate::racing::together;
use crate::support::{Fate, Scene};

const THREADS: usize = 8;

/// Makes a session and leaves the winner's name in it.
fn make(db: &Database, id: SessionId, name: usize) -> Result<usize> {
    let session = db.create_session_with_id(id, Expiry::Default)?;
    session.set("winner", &name)?;
    Ok(name)
}

#[test]
fn one_of_many_wins() {
    for round in 0..60_u8 {
        let scene = Scene::new();
        if round % 3 == 1 {
            // The background has other things to do meanwhile.
            scene.written();
            scene.db.checkpoint().unwrap();
        }
        let outcomes = together(THREADS, |name| make(&scene.db, id(round), name));
        let mut winners = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(name) => winners.push(name),
                Err(Error::SessionExists) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let scene = scene.after(Fate::ALL[usize::from(round) % Fate::ALL.len()]);
        let session = scene.handle(&id(round));
        assert_eq!(
            session.get("winner").unwrap(),
            Some(winners[0]),
            "round {round}"
        );
        assert_eq!(session.len().unwrap(), 1, "round {round}");
        scene.is_sound();
    }
}

#[test]
fn of_many_ids_at_once_each_goes_to_one() {
    let scene = Scene::new();
    let outcomes = together(THREADS, |name| {
        // Each begins elsewhere, and all meet all the time.
        let ids = (0..50_u8).map(|number| (number + u8::try_from(name).unwrap() * 5) % 50);
        let made = ids.filter(|number| match make(&scene.db, id(*number), name) {
            Ok(_) => true,
            Err(Error::SessionExists) => false,
            Err(error) => panic!("{error}"),
        });
        made.collect::<Vec<u8>>()
    });
    let mut made = outcomes.concat();
    made.sort_unstable();
    assert_eq!(made, (0..50).collect::<Vec<u8>>());
    assert_eq!(scene.db.sessions().count(), 50);
    scene.is_sound();
}

#[test]
fn who_finds_it_opens_what_the_winner_made() {
    for round in 0..30_u8 {
        let scene = Scene::new();
        let seen = together(THREADS, |name| {
            match scene
                .db
                .create_session_with_id(id(round), Expiry::BrowserSession)
            {
                Ok(session) => session,
                Err(Error::SessionExists) => scene.handle(&id(round)),
                Err(error) => panic!("round {round}: {error}"),
            }
            .set(&format!("visitor {name}"), &1)
        });
        for written in seen {
            written.unwrap();
        }
        let session = scene.handle(&id(round));
        assert_eq!(session.len().unwrap(), THREADS, "round {round}");
        assert_eq!(session.expiry().unwrap(), Expiry::BrowserSession);
    }
}

#[test]
fn nobody_makes_it_again_while_it_is_logged_out() {
    for round in 0..60_u8 {
        let scene = Scene::new();
        scene
            .db
            .create_session_with_id(id(round), Expiry::Default)
            .unwrap();
        if round % 2 == 0 {
            scene.db.checkpoint().unwrap();
        }
        let outcomes = together(THREADS, |name| {
            if name == 0 {
                scene.handle(&id(round)).destroy()
            } else {
                make(&scene.db, id(round), name).map(drop)
            }
        });
        for (name, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(()) => assert_eq!(name, 0, "round {round}: made again"),
                Err(Error::SessionExists | Error::SessionGone) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        is_dead(&scene, &id(round));
    }
}
