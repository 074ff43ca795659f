//! Random operations against a plain map, with crashes.

mod model;
mod random;
