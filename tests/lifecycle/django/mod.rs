//! What the tests of Django's sessions check of every one of its backends,
//! under names of our own: who comes from there finds what they rely on.

mod browser;
mod cycle;
mod dates;
mod emptied;
mod expired;
mod flush;
mod items;
mod logged_out;
mod pop;
mod setdefault;
mod unknown;
