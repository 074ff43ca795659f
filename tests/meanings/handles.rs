//! What handles are: `Database` is `Clone + Send + Sync`, `Session` is
//! `Send + Sync` and not `Clone`, and what ends a session takes `&mut self`.

use std::marker::PhantomData;

use sessiondb::{
    Committed, Database, Entry, Error, Result, Session, SessionDigest, SessionId, Transaction,
    ValueBytes,
};

use super::support::{NEVER_BY_ITSELF, Stage, State, contents, named};

const fn is_send_and_sync<T: Send + Sync>() {}
const fn is_clone<T: Clone>() {}
const fn is_static<T: 'static>() {}

const _: () = {
    is_send_and_sync::<Database>();
    is_send_and_sync::<Session>();
    is_send_and_sync::<SessionId>();
    is_send_and_sync::<SessionDigest>();
    is_send_and_sync::<ValueBytes>();
    is_send_and_sync::<Entry>();
    is_send_and_sync::<Error>();
    is_send_and_sync::<Committed>();
    is_clone::<Database>();
    is_clone::<ValueBytes>();
    is_static::<Session>();
    is_static::<Committed>();
    is_static::<Error>();
};

/// Tells whether a type is `Clone`: its own constant wins over the trait's.
struct Probe<T>(PhantomData<T>);

trait NotClone {
    const IS_CLONE: bool = false;
}

impl<T> NotClone for Probe<T> {}

impl<T: Clone> Probe<T> {
    const IS_CLONE: bool = true;
}

#[test]
fn a_session_is_not_clone_and_is_opened_again_for_a_second_handle() {
    const { assert!(Probe::<Database>::IS_CLONE, "the probe works") };
    const { assert!(!Probe::<Session>::IS_CLONE) };
    let stage = Stage::new(State::Memtable, |session| session.set("a", &1).unwrap());
    assert_eq!(contents(&stage.handle()), named(&[("a", 1)]));
}

#[test]
fn what_ends_a_session_takes_the_handle_for_itself() {
    // A method that took `&self` would not be of these types.
    let flush: fn(&mut Session) -> Result<SessionId> = Session::flush;
    let cycle: fn(&mut Session) -> Result<SessionId> = Session::cycle_id;
    let destroy: fn(&mut Session) -> Result<()> = Session::destroy;
    let clear: fn(&Session) -> Result<()> = Session::clear;
    let of_transaction: fn(&mut Transaction<'static>) -> Result<()> = Transaction::clear;
    let _ = of_transaction;
    let mut stage = Stage::new(State::Memtable, |session| session.set("a", &1).unwrap());
    clear(&stage.session).unwrap();
    cycle(&mut stage.session).unwrap();
    flush(&mut stage.session).unwrap();
    destroy(&mut stage.session).unwrap();
}

#[test]
fn a_session_is_shared_by_threads() {
    let stage = Stage::new(State::Checkpointed, |session| session.set("a", &1).unwrap());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let session = &stage.session;
            scope.spawn(move || session.set(&format!("b{number}"), &number).unwrap());
        }
    });
    stage.holds(&[("a", 1), ("b0", 0), ("b1", 1), ("b2", 2), ("b3", 3)]);
}

#[test]
fn a_view_with_another_durability_is_the_same_database() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let view = stage.db.with_durability(NEVER_BY_ITSELF);
        let through_view = view.open_session(&stage.session.id()).unwrap().unwrap();
        through_view.set("b", &2).unwrap();
        assert_eq!(contents(&stage.session), named(&[("a", 1), ("b", 2)]));
        let (mut stats, own) = (view.stats(), stage.db.stats());
        // Time goes on between the two.
        stats.checkpoint_age = own.checkpoint_age;
        stats.erasure_age = own.erasure_age;
        assert_eq!(stats, own);
        drop((through_view, view));
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn bytes_of_a_value_are_shared_and_outlive_the_value() {
    for stage in Stage::each(|session| session.set_bytes("a", b"abc").unwrap()) {
        let bytes = stage.session.get_bytes("a").unwrap().unwrap();
        let copy = bytes.clone();
        stage.session.delete("a").unwrap();
        stage.db.checkpoint().unwrap();
        drop(stage);
        assert_eq!((&*bytes, copy.as_ref()), (&b"abc"[..], &b"abc"[..]));
    }
}
