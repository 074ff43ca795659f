//! Every line under "Meanings", "Values" and "Errors" of the interface, by name.

mod closed;
mod gone;
mod no_effect;
mod operations;
mod reads;
mod support;
