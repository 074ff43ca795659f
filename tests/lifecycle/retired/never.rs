//! An ID that never existed, or was never written, is not retired.

use sessiondb::{Expiry, SessionId};

use crate::support::{Fate, IDLE, Scene};

#[test]
fn not_an_id_that_nobody_knows() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        scene.written();
        scene.written().destroy().unwrap();
        let scene = scene.after(fate);
        for number in 0..=255 {
            let id = SessionId::from_bytes([number; 16]);
            let asked = scene.writes_nothing("asking", || scene.db.is_retired(id).unwrap());
            assert!(!asked, "{fate}");
        }
    }
}

#[test]
fn not_the_ids_of_handles_that_were_never_written() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let mut ids = Vec::new();
        let mut session = scene.db.create_session();
        ids.push(session.id());
        ids.push(session.flush().unwrap());
        ids.push(session.cycle_id().unwrap());
        ids.push(session.cycle_id_with(|_| Ok(())).unwrap());
        ids.push(session.flush_with(|_| Ok(())).unwrap());
        session.destroy().unwrap();
        let past = scene.db.create_session();
        past.set_expiry(Expiry::At(scene.now())).unwrap();
        ids.push(past.id());
        assert!(!scene.db.revoke(ids[0]).unwrap());
        scene.wait(IDLE);
        let scene = scene.after(fate);
        for id in &ids {
            assert!(!scene.db.is_retired(*id).unwrap(), "{fate}");
        }
    }
}

#[test]
fn not_a_session_that_lives() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = scene.written().id();
        let scene = scene.after(fate);
        assert!(!scene.db.is_retired(id).unwrap(), "{fate}");
        scene.handle(&id).clear().unwrap();
        assert!(!scene.db.is_retired(id).unwrap(), "{fate}");
    }
}
