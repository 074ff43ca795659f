//! The README, held to the code: what it shows in bytes and says in numbers.
