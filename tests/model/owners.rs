//! What ends several sessions at once may be cut off anywhere: all of them are
//! gone, or none.

use std::time::Duration;

use crate::model::{Action, Config, Durabilities, Operation, Owner, Renewal, Run, Terms, Turn};
use crate::power::{at_every_operation, both, set};

const ADA: Owner = Owner(0);
const EVE: Owner = Owner(1);

fn own(slot: usize, owner: Owner) -> Operation {
    Operation::Act {
        slot,
        action: Action::SetOwner(Some(owner)),
    }
}

/// Sessions of two owners, some of them in the segments, each seen at a time of
/// its own.
fn prepare(run: &mut Run) {
    let later = || Operation::Clock(Turn::Forward(Duration::from_secs(1)));
    for slot in 0..4 {
        run.apply(&set(slot, "user", 20));
        run.apply(&own(slot, if slot == 3 { EVE } else { ADA }));
        run.apply(&later());
        if slot == 1 {
            run.apply(&Operation::Checkpoint);
        }
    }
    run.apply(&set(4, "visitor", 20));
}

/// Lets the power go off at each operation, under terms and without.
fn check(topic: &str, terms: Terms, work: &Operation, ends: fn(&crate::model::Tally) -> u64) {
    for durabilities in [Durabilities::Immediate, Durabilities::Deferred] {
        let topic = format!("{topic}, {durabilities:?}");
        let config = Config {
            terms,
            ..both(durabilities)
        };
        let work = [work.clone(), Operation::Commit { slot: None }];
        let (taken, total) = at_every_operation(&topic, &config, prepare, &work);
        assert!(taken > 1, "{topic}: only {taken} disk operations");
        assert!(ends(&total) > 0, "{topic}: nothing ended: {total:?}");
    }
}

#[test]
fn a_logout_everywhere_that_is_cut_off_anywhere_is_there_wholly_or_not_at_all() {
    let work = Operation::RevokeOwner {
        owner: ADA,
        except: None,
        deferred: true,
    };
    check("a logout everywhere", Terms::default(), &work, |total| {
        total.life.owners_revoked
    });
}

fn login(renewal: Renewal) -> Operation {
    let user = crate::power::text(20);
    Operation::EndWith {
        slot: 4,
        renewal,
        actions: vec![
            Action::Set("user".to_owned(), user),
            Action::SetOwner(Some(ADA)),
        ],
        fails: false,
    }
}

#[test]
fn a_login_that_is_cut_off_anywhere_comes_with_all_that_it_ends_or_not_at_all() {
    let terms = Terms {
        cap: Some(2),
        ..Terms::default()
    };
    for renewal in [Renewal::Cycle, Renewal::Flush] {
        let topic = format!("a login by {renewal:?}");
        check(&topic, terms, &login(renewal), |total| total.life.evicted);
    }
}
