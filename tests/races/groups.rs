//! Many writers share a sync, and each has what it was promised.

use sessiondb::{Crash, IndexFate};

use crate::support::{Ground, rounds, seed, small, together, verify_and_close, watched};

const WRITERS: usize = 64;

#[test]
fn whatever_64_writers_were_told_is_durable_survives_a_power_cut() {
    watched(|| {
        let seed = seed();
        let mut random = fastrand::Rng::with_seed(seed);
        for round in 0..rounds(4) {
            let ground = Ground::simulated(seed);
            let Ground::Simulated(disk) = &ground else {
                unreachable!("it is simulated");
            };
            let database = ground.open();
            disk.power_off_after(random.u64(20..300));
            let told = together(WRITERS, |thread| {
                let session = database.create_session();
                let mut acknowledged = None;
                for number in 0..20 {
                    let value = format!("{thread} {number}");
                    match session.set("value", &value) {
                        Ok(()) => acknowledged = Some(value),
                        Err(_) => break,
                    }
                }
                (session.id(), acknowledged)
            });
            let how = Crash::Random(random.u64(..));
            for fate in [IndexFate::Kept, IndexFate::Lost] {
                let left = disk.crash(how, fate).unwrap();
                let again = small().open_on(std::sync::Arc::new(left)).unwrap();
                for (id, acknowledged) in &told {
                    let Some(acknowledged) = acknowledged else {
                        continue;
                    };
                    let session = again.open_session(id).unwrap().expect("acknowledged");
                    let found: String = session.get("value").unwrap().expect("acknowledged");
                    let number = |text: &str| -> u32 {
                        let number = text.rsplit(' ').next().expect("a number");
                        number.parse().expect("a number")
                    };
                    // The one that was not acknowledged may have got through.
                    let ahead = number(&found) - number(acknowledged);
                    assert!(
                        ahead <= 1,
                        "{found} instead of {acknowledged}: seed {seed} round {round} {how:?}"
                    );
                }
                verify_and_close(&again);
            }
        }
    });
}
