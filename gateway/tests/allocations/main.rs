//! In the steady state a worker allocates nothing for what passes: shown by an allocator that counts.

#[expect(unsafe_code, reason = "a global allocator that counts and forwards")]
mod counting;
mod produce;
mod relay;
