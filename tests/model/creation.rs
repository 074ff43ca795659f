//! The creation of a database may be cut off anywhere.

use crate::model::Operation;
use crate::power::{at_every_operation_of_creation, set};

#[test]
fn a_creation_that_is_cut_off_anywhere_is_made_up_for_by_the_next_opening() {
    let work = [
        set(0, "first", 20),
        set(1, "second", 20),
        Operation::Checkpoint,
    ];
    let taken = at_every_operation_of_creation(&work);
    assert!(taken > 15, "only {taken} disk operations");
}
