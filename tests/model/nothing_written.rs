//! What has no effect brings no session into being.

use sessiondb::Database;

#[test]
fn a_transaction_without_a_net_effect_brings_no_session_into_being() {
    let database = Database::temporary().expect("a temporary database");
    let session = database.create_session();
    session
        .transaction(|tx| {
            tx.set("cart/apple", &1)?;
            tx.set("cart/pear", &2)?;
            tx.remove_prefix("cart/")?;
            tx.set("user", "ada")?;
            tx.discard("user").map(drop)
        })
        .expect("a transaction");
    let again = database.open_session(&session.id()).expect("a lookup");
    assert!(again.is_none(), "an empty session was written");
    let verified = database.verify().expect("a sound database");
    assert_eq!(verified.sessions, 0);
    session.set("user", "ada").expect("a write");
    let again = database.open_session(&session.id()).expect("a lookup");
    assert!(again.is_some(), "the first real write was lost");
}
