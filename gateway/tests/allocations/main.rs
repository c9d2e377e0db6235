//! In the steady state a worker allocates nothing for what passes, and no reload leaves anything behind: shown by an allocator
//! that counts, and by the memory of the process.

#[expect(unsafe_code, reason = "a global allocator that counts and forwards")]
mod counting;
mod produce;
mod relay;
mod reload;
