//! A login or a logout with what it writes, in one frame.

mod cycle;
mod errors;
mod flush;
mod gone;
mod one_frame;
mod races;
mod unwritten;
