//! Every line under "Meanings", "Values" and "Errors" of the interface, by name.

mod clear;
mod closed;
mod closures;
mod cycle;
mod decode;
mod emptied;
mod flush;
mod gone;
mod iteration;
mod no_effect;
mod operations;
mod reads;
mod reentrant;
mod support;
mod unwritten;
