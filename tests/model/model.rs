//! The model test's machine, for whoever has a source of choices: a generator
//! of random numbers here, the bytes of a fuzzer elsewhere.
//!
//! An [`Operation`] is drawn from a [`Source`]; a [`Run`] applies it to a
//! database and to a plain map, and compares every answer. After a crash the
//! whole database has to be one of the states that the map went through since
//! the last one that was acknowledged as durable.

#[path = "model/answer.rs"]
mod answer;
#[path = "model/apply.rs"]
mod apply;
#[path = "model/config.rs"]
mod config;
#[path = "model/draw.rs"]
mod draw;
#[path = "model/history.rs"]
mod history;
#[path = "model/operation.rs"]
mod operation;
#[path = "model/place.rs"]
mod place;
#[path = "model/recovery.rs"]
mod recovery;
#[path = "model/run.rs"]
mod run;
#[path = "model/step.rs"]
mod step;
#[path = "model/value.rs"]
mod value;

pub(crate) use config::{Config, Durabilities, Tally};
pub(crate) use draw::Bytes;
pub(crate) use operation::{Accident, Action, Blow, Ending, Operation, Recipe};
pub(crate) use place::Place;
pub(crate) use run::Run;
pub(crate) use value::Kind;
