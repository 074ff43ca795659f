//! What each operation on a key promises, one line of the interface each.

use sessiondb::{Error, Session};

use super::support::Stage;

fn two_keys(session: &Session) {
    session.set("a", &1).unwrap();
    session.set("b", &2).unwrap();
}

#[test]
fn set_puts_and_replaces() {
    for stage in Stage::each(two_keys) {
        stage.session.set("a", &10).unwrap();
        stage.session.set("c", &3).unwrap();
        assert_eq!(stage.session.get("a").unwrap(), Some(10));
        stage.holds(&[("a", 10), ("b", 2), ("c", 3)]);
    }
}

#[test]
fn set_takes_unsized_values() {
    for stage in Stage::each(|session| session.set::<str>("a", "text").unwrap()) {
        stage.session.set::<[i64]>("b", &[1, 2]).unwrap();
        let text: Option<String> = stage.session.get("a").unwrap();
        assert_eq!(text.as_deref(), Some("text"));
        assert_eq!(stage.session.get("b").unwrap(), Some(vec![1, 2]));
        assert!(stage.session.pop_if::<str>("a", "text").unwrap());
    }
}

#[test]
fn pop_removes_and_returns() {
    for stage in Stage::each(two_keys) {
        assert_eq!(stage.session.pop("a").unwrap(), Some(1));
        assert_eq!(stage.session.pop::<i64>("a").unwrap().unwrap_or(7), 7);
        stage.holds(&[("b", 2)]);
    }
}

#[test]
fn an_acknowledged_pop_stays_popped_after_a_power_cut() {
    for stage in Stage::each(two_keys) {
        assert_eq!(stage.session.pop("a").unwrap(), Some(1));
        let again = stage.after_power_cut();
        assert_eq!(again.session.pop::<i64>("a").unwrap(), None);
        again.holds(&[("b", 2)]);
    }
}

#[test]
fn pop_if_compares_and_removes() {
    for stage in Stage::each(two_keys) {
        assert!(!stage.session.pop_if("a", &2).unwrap());
        assert!(stage.session.pop_if("a", &1).unwrap());
        assert!(!stage.session.pop_if("a", &1).unwrap());
        stage.holds(&[("b", 2)]);
    }
}

#[test]
fn delete_is_strict() {
    for stage in Stage::each(two_keys) {
        stage.session.delete("a").unwrap();
        let again = stage.session.delete("a");
        assert!(matches!(again, Err(Error::KeyNotFound { key }) if key == "a"));
        stage.holds(&[("b", 2)]);
    }
}

#[test]
fn discard_is_lenient() {
    for stage in Stage::each(two_keys) {
        assert!(stage.session.discard("a").unwrap());
        assert!(!stage.session.discard("a").unwrap());
        stage.holds(&[("b", 2)]);
    }
}

#[test]
fn get_or_insert_with_returns_what_is_there_or_puts_it() {
    for stage in Stage::each(two_keys) {
        let session = &stage.session;
        assert_eq!(session.get_or_insert_with("a", || 9).unwrap(), 1);
        assert_eq!(session.get_or_insert_with("c", || 3).unwrap(), 3);
        assert_eq!(session.get_or_insert_with("c", || 4).unwrap(), 3);
        stage.holds(&[("a", 1), ("b", 2), ("c", 3)]);
    }
}

#[test]
fn update_reads_modifies_and_writes_and_none_removes() {
    for stage in Stage::each(two_keys) {
        let session = &stage.session;
        let more = session.update("a", |a: Option<i64>| a.map(|a| a + 1));
        assert_eq!(more.unwrap(), Some(2));
        let made = session.update("c", |c: Option<i64>| c.or(Some(5)));
        assert_eq!(made.unwrap(), Some(5));
        let gone = session.update("b", |_: Option<i64>| None);
        assert_eq!(gone.unwrap(), None);
        stage.holds(&[("a", 2), ("c", 5)]);
    }
}

#[test]
fn compare_and_set_treats_none_as_absent_on_either_side() {
    for stage in Stage::each(two_keys) {
        let session = &stage.session;
        assert!(session.compare_and_set("a", Some(&1), Some(&10)).unwrap());
        assert!(!session.compare_and_set("a", Some(&1), Some(&11)).unwrap());
        assert!(!session.compare_and_set("a", None, Some(&12)).unwrap());
        assert!(session.compare_and_set("b", Some(&2), None).unwrap());
        assert!(session.compare_and_set("c", None, Some(&3)).unwrap());
        stage.holds(&[("a", 10), ("c", 3)]);
    }
}

#[test]
fn remove_prefix_removes_what_begins_with_it_and_a_later_set_wins() {
    let cart = |session: &Session| {
        for key in ["car", "cart", "cart/", "cart/a", "cart/b", "cart0", "user"] {
            session.set(key, &1).unwrap();
        }
    };
    for stage in Stage::each(cart) {
        stage.session.remove_prefix("cart/").unwrap();
        stage.session.set("cart/b", &2).unwrap();
        stage.holds(&[
            ("car", 1),
            ("cart", 1),
            ("cart/b", 2),
            ("cart0", 1),
            ("user", 1),
        ]);
    }
}

#[test]
fn the_empty_prefix_is_all_keys() {
    for stage in Stage::each(two_keys) {
        stage.session.remove_prefix("").unwrap();
        stage.holds(&[]);
    }
}

#[test]
fn raw_bytes_come_back_as_they_were() {
    for stage in Stage::each(|session| session.set_bytes("a", &[0, 255, 7]).unwrap()) {
        let session = &stage.session;
        session.set_bytes("empty", b"").unwrap();
        assert_eq!(
            session.get_bytes("empty").unwrap().as_deref(),
            Some(&[][..])
        );
        assert_eq!(
            session.get_bytes("a").unwrap().as_deref(),
            Some(&[0, 255, 7][..])
        );
        assert_eq!(
            session.pop_bytes("a").unwrap().as_deref(),
            Some(&[0, 255, 7][..])
        );
        assert!(session.pop_bytes("a").unwrap().is_none());
        assert!(session.discard("empty").unwrap());
        stage.holds(&[]);
    }
}

#[test]
fn there_is_no_limit_on_the_number_of_keys() {
    const KEYS: i64 = 20_000;
    let fill = |session: &Session| {
        let outcome =
            session.transaction(|tx| (0..KEYS).try_for_each(|n| tx.set(&format!("{n:06}"), &n)));
        outcome.unwrap();
    };
    let stage = Stage::new(super::support::State::Reopened, fill);
    let keys = usize::try_from(KEYS).unwrap();
    assert_eq!(stage.session.len().unwrap(), keys);
    assert_eq!(stage.session.get("012345").unwrap(), Some(12_345));
    stage.session.set("one more", &1).unwrap();
    assert_eq!(stage.session.len().unwrap(), keys + 1);
}
