//! Every text of 1 to 512 bytes is an owner of its own.

use sessiondb::{Error, MAX_OWNER_BYTES, SessionId};

use crate::support::{Scene, everywhere};

/// Names that begin like others, end like others, and hold what may separate
/// a name from what comes after it.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "a\0",
        "a\0\0",
        "a\0b",
        "a\u{1}",
        "ab",
        "b",
        "\0",
        "\0\0",
        "\0a",
        " ",
        "  ",
        "user:4",
        "user:42",
        "user:42\0",
        "user:421",
        "user:43",
        "User:42",
        "user:42 ",
        "ü",
        "üb",
        "u\u{308}",
        "\u{7f}",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
        "None",
        "%",
        "*",
        "../a",
    ]
    .map(String::from)
    .to_vec();
    // As long as it gets, and nearly.
    names.push("x".repeat(MAX_OWNER_BYTES));
    names.push("x".repeat(MAX_OWNER_BYTES - 1));
    names.push("x".repeat(MAX_OWNER_BYTES - 1) + "y");
    names.push("\0".repeat(MAX_OWNER_BYTES));
    names.push("\u{10ffff}".repeat(MAX_OWNER_BYTES / 4));
    // As long as a digest, behind a name, with and without a separator.
    names.push(format!("a{}", "\u{1}".repeat(16)));
    names.push(format!("a\0{}", "\u{1}".repeat(16)));
    names
}

/// Two sessions for each, in turns.
fn populate(scene: &Scene) -> Vec<(String, Vec<SessionId>)> {
    let mut owners: Vec<_> = names().into_iter().map(|name| (name, Vec::new())).collect();
    for _ in 0..2 {
        for (name, ids) in &mut owners {
            ids.push(scene.born(Some(name)).id());
        }
    }
    owners
}

#[test]
fn owners_whose_names_resemble_each_other_have_their_own_sessions() {
    everywhere(populate, |scene, owners, what| {
        for (name, ids) in &owners {
            scene.assert_owns(name, ids, what);
        }
        let all: Vec<_> = owners.iter().flat_map(|(_, ids)| ids.clone()).collect();
        scene.assert_all(&all, what);
    });
}

#[test]
fn revoking_an_owner_leaves_those_with_similar_names_alone() {
    everywhere(populate, |scene, mut owners, what| {
        let mut random = fastrand::Rng::with_seed(7);
        random.shuffle(&mut owners);
        while let Some((name, ids)) = owners.pop() {
            assert_eq!(scene.db.revoke_owner(&name).unwrap(), 2, "{name:?} {what}");
            scene.assert_owns(&name, &[], what);
            for id in &ids {
                scene.assert_gone(id, what);
            }
            if owners.len() % 6 == 0 {
                scene.db.checkpoint().unwrap();
            }
            for (name, ids) in &owners {
                scene.assert_owns(name, ids, what);
            }
        }
        scene.assert_all(&[], what);
    });
}

#[test]
fn a_session_moves_between_owners_with_similar_names() {
    everywhere(
        |scene| scene.born(Some("a")).id(),
        |scene, id, what| {
            let session = scene.session(&id);
            let names = names();
            for (number, name) in names.iter().enumerate() {
                scene.tick();
                session.set_owner(Some(name)).unwrap();
                if number % 5 == 4 {
                    scene.db.checkpoint().unwrap();
                }
                let owns = names
                    .iter()
                    .filter(|name| !scene.db.sessions_of(name).unwrap().is_empty());
                assert_eq!(owns.collect::<Vec<_>>(), [name], "{what}");
            }
            scene.assert_all(&[id], what);
        },
    );
}

#[test]
fn a_name_that_is_empty_or_too_long_is_refused_wherever_it_is_given() {
    let scene = Scene::new();
    let session = scene.born(Some("a"));
    let unwritten = scene.db.create_session();
    let too_long = "x".repeat(MAX_OWNER_BYTES + 1);
    // Characters do not count, bytes do.
    let wide = "ü".repeat(MAX_OWNER_BYTES / 2) + "x";
    for name in ["", &too_long, &wide] {
        let here = session.id();
        let answers = scene.writes_nothing("a refused name", || {
            [
                session.set_owner(Some(name)),
                unwritten.set_owner(Some(name)),
                session.transaction(|tx| {
                    tx.set("page", "/")?;
                    tx.set_owner(Some(name))
                }),
                scene.db.sessions_of(name).map(drop),
                scene.db.revoke_owner(name).map(drop),
                scene.db.revoke_owner_except(name, &here).map(drop),
            ]
        });
        for answer in answers {
            let Err(Error::InvalidOwner { length, limit }) = answer else {
                panic!("{} bytes: {answer:?}", name.len());
            };
            assert_eq!((length, limit), (name.len(), MAX_OWNER_BYTES));
        }
    }
    assert!(!session.contains_key("page").unwrap());
    scene.assert_owns("a", &[session.id()], "as before");
    assert_eq!(unwritten.owner().unwrap(), None);
}
