mod moves;

use super::*;

const ONE: SessionDigest = SessionDigest::from_bytes([1; 16]);
const OTHER: SessionDigest = SessionDigest::from_bytes([2; 16]);

#[test]
fn a_member_is_one_until_it_leaves_and_nothing_stays_behind() {
    let owners = Owners::default();
    owners.lock().join("a", ONE);
    owners.lock().join("a", OTHER);
    owners.lock().join("b", ONE);
    owners.lock().leave("a", ONE);
    assert_eq!(owners.members("a"), [OTHER]);
    assert_eq!(owners.members("b"), [ONE]);
    owners.lock().leave("a", OTHER);
    owners.lock().leave("b", ONE);
    owners.lock().leave("b", ONE);
    assert!(owners.is_empty());
}

#[test]
fn a_watch_sees_who_joins_its_owner_and_nobody_else() {
    let owners = Owners::default();
    let watch = owners.watch("a");
    owners.lock().join("b", ONE);
    assert!(watch.saw_all(&owners.lock()));
    owners.lock().join("a", ONE);
    assert!(!watch.saw_all(&owners.lock()));
    assert!(watch.saw_who_stayed(), "nobody else went anywhere");
    drop(watch);
    let watch = owners.watch("a");
    owners.lock().leave("a", ONE);
    assert!(watch.saw_all(&owners.lock()), "who leaves is no matter");
    drop(watch);
    owners.lock().leave("b", ONE);
    assert!(owners.is_empty());
}

#[test]
fn who_gets_another_id_was_seen_until_the_way_to_it_is_forgotten() {
    let owners = Owners::default();
    owners.lock().join("a", ONE);
    let watch = owners.watch("a");
    owners.lock().move_member("a", ONE, OTHER);
    assert!(watch.saw_all(&owners.lock()));
    assert_eq!(owners.members("a"), [OTHER]);
    assert!(watch.saw_who_stayed());
    owners.lock().disturb("a");
    assert!(!watch.saw_all(&owners.lock()));
    assert!(!watch.saw_who_stayed());
}

#[test]
fn who_joins_and_leaves_again_was_there() {
    let owners = Owners::default();
    let watch = owners.watch("a");
    owners.lock().join("a", ONE);
    owners.lock().leave("a", ONE);
    assert!(!watch.saw_all(&owners.lock()));
}
