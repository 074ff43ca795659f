//! When a session is over.

mod clocks;
mod expired;
mod no_effect;
mod other_timeouts;
mod overrides;
mod past;
mod reads;
mod timeouts;
mod touch;
mod touch_lasting;
mod unwritten;
mod writes;
