//! `examples/devices.rs`.

use crate::support::run;

#[test]
fn the_devices_are_listed_logged_out_and_expire() {
    let shown = run::<&str>("devices", &[]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for fact in [
        "Three devices, the one seen last first",
        "expires in 58 days",
        "A fourth login: the owner may have three",
        "the phone's old cookie: logged out, known to be dead: true",
        "pop(\"code\")  None",
        "Logged out everywhere else, 2 devices",
        "26 days later, with a visit after 13\n   the laptop: logged in",
        "A day more, 14 since the visit\n   the laptop: logged out",
        "the purge removes 1 session",
    ] {
        assert!(shown.stdout.contains(fact), "{fact}\n{}", shown.stdout);
    }
}
