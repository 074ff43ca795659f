//! `examples/quickstart.rs`.

use crate::support::run;

#[test]
fn the_quickstart_shows_the_three_deletions_and_that_they_survive() {
    let shown = run::<&str>("quickstart", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for fact in [
        "1. flush: a logout (Django: session.flush())",
        "2. pop: a cart item and a one-time message (Django: session.pop(key, None))",
        "3. delete: a setting that has to be there (Django: del session[key])",
        "a session of 10001 keys",
        "flush()         of 1 key took ",
        "flush()         of 10001 keys took ",
        "the old cookie  opens a session: false",
        "the new one     has 0 keys",
        "another tab     writes late: refused: the session is gone",
        "pop(\"cart/apple\")  Some(3)",
        "pop(\"cart/apple\")  None",
        "pop(\"message\")     Some(\"Your order is on its way.\")",
        "pop(\"message\")     \"\"",
        "delete(\"language\")   done",
        "delete(\"language\")   refused: the session holds no key \"language\"",
        "discard(\"language\")  false",
        "the session before the logout  is there: false",
        "the session after it           has the keys [\"theme\"]",
    ] {
        assert!(shown.stdout.contains(fact), "{fact}\n{}", shown.stdout);
    }
}
