//! Clear keeps the ID and is a new generation: nothing of before comes back.

use sessiondb::Session;

use super::support::{Stage, contents, named};

fn two_keys(session: &Session) {
    session.set("a", &1).unwrap();
    session.set("b", &2).unwrap();
}

#[test]
fn clear_removes_all_keys_and_keeps_the_id() {
    for stage in Stage::each(two_keys) {
        let id = stage.session.id();
        stage.session.clear().unwrap();
        assert_eq!(stage.session.id(), id);
        assert!(stage.session.is_empty().unwrap());
        stage.holds(&[]);
    }
}

#[test]
fn other_handles_see_a_cleared_session_and_not_a_gone_one() {
    for stage in Stage::each(two_keys) {
        let other = stage.handle();
        stage.session.clear().unwrap();
        assert_eq!(other.get::<i64>("a").unwrap(), None);
        other.set("c", &3).unwrap();
        drop(other);
        stage.holds(&[("c", 3)]);
    }
}

#[test]
fn a_key_that_is_set_after_a_clear_stays_and_the_others_do_not_come_back() {
    for stage in Stage::each(two_keys) {
        stage.session.clear().unwrap();
        stage.session.set("b", &7).unwrap();
        stage.holds(&[("b", 7)]);
    }
}

#[test]
fn a_clear_between_two_checkpoints_is_not_undone_by_the_second() {
    for stage in Stage::each(two_keys) {
        stage.session.set("c", &3).unwrap();
        stage.session.clear().unwrap();
        stage.db.checkpoint().unwrap();
        assert!(stage.session.is_empty().unwrap(), "{stage}");
        stage.session.set("a", &4).unwrap();
        stage.session.clear().unwrap();
        stage.session.set("d", &5).unwrap();
        stage.holds(&[("d", 5)]);
    }
}

#[test]
fn a_clear_survives_a_power_cut() {
    for stage in Stage::each(two_keys) {
        stage.session.clear().unwrap();
        stage.session.set("c", &3).unwrap();
        let again = stage.after_power_cut();
        assert_eq!(contents(&again.session), named(&[("c", 3)]), "{again}");
        again.holds(&[("c", 3)]);
    }
}

#[test]
fn a_transaction_may_clear_and_write_anew() {
    for stage in Stage::each(two_keys) {
        let outcome = stage.session.transaction(|tx| {
            tx.set("lost", &1)?;
            tx.clear()?;
            assert!(tx.is_empty()?);
            assert_eq!(tx.get::<i64>("a")?, None);
            assert_eq!(tx.pop::<i64>("b")?, None);
            tx.set("kept", &2)
        });
        outcome.unwrap();
        stage.holds(&[("kept", 2)]);
    }
}

#[test]
fn a_transaction_that_clears_and_fails_clears_nothing() {
    for stage in Stage::each(two_keys) {
        let outcome = stage.session.transaction(|tx| {
            tx.clear()?;
            tx.delete("a")
        });
        outcome.unwrap_err();
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn a_cleared_session_may_be_cycled_and_a_cycled_one_cleared() {
    for mut stage in Stage::each(two_keys) {
        stage.session.clear().unwrap();
        stage.session.cycle_id().unwrap();
        stage.session.set("c", &3).unwrap();
        stage.session.cycle_id().unwrap();
        assert_eq!(contents(&stage.session), named(&[("c", 3)]), "{stage}");
        stage.session.clear().unwrap();
        stage.holds(&[]);
    }
}
