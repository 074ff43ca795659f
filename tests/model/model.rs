//! The model test's machine, for whoever has a source of choices: a generator
//! of random numbers here, the bytes of a fuzzer elsewhere.
//!
//! An [`Operation`] is drawn from a [`Source`](source::Source); a [`Run`] applies
//! it to a database and to a plain map, and compares every answer. After a crash
//! the whole database has to be one of the states that the map went through
//! since the last one that was acknowledged as durable.
//!
//! Time is what operations make of it: it stands still until one sets the clock.
//! Within one opening it never goes backwards, whatever the clock does; the next
//! opening begins with what the clock shows.

#[path = "model/account.rs"]
mod account;
#[path = "model/answer.rs"]
mod answer;
#[path = "model/apply.rs"]
mod apply;
#[path = "model/beside.rs"]
mod beside;
#[path = "model/commit.rs"]
mod commit;
#[path = "model/config.rs"]
mod config;
#[path = "model/draft.rs"]
mod draft;
#[path = "model/draw.rs"]
mod draw;
#[path = "model/ending.rs"]
mod ending;
#[path = "model/found.rs"]
mod found;
#[path = "model/handle.rs"]
mod handle;
#[path = "model/history.rs"]
mod history;
#[path = "model/hours.rs"]
mod hours;
#[path = "model/lease.rs"]
mod lease;
#[path = "model/listing.rs"]
mod listing;
#[path = "model/opening.rs"]
mod opening;
#[path = "model/operation.rs"]
mod operation;
#[path = "model/owners.rs"]
mod owners;
#[path = "model/place.rs"]
mod place;
#[path = "model/recovery.rs"]
mod recovery;
#[path = "model/run.rs"]
mod run;
#[path = "model/session.rs"]
mod session;
#[path = "model/source.rs"]
mod source;
#[path = "model/standing.rs"]
mod standing;
#[path = "model/state.rs"]
mod state;
#[path = "model/step.rs"]
mod step;
#[path = "model/tally.rs"]
mod tally;
#[path = "model/terms.rs"]
mod terms;
#[path = "model/time.rs"]
mod time;
#[path = "model/value.rs"]
mod value;

pub(crate) use beside::Beside;
pub(crate) use config::{Config, Durabilities};
pub(crate) use operation::{
    Accident, Action, Blow, Ending, Operation, Owner, Recipe, Renewal, Turn, Whose,
};
pub(crate) use place::Place;
pub(crate) use run::Run;
pub(crate) use source::Bytes;
pub(crate) use standing::Standing;
pub(crate) use step::Walk;
pub(crate) use tally::Tally;
pub(crate) use terms::Terms;
pub(crate) use value::Kind;
