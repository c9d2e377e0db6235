//! Types that user space hands to the kernel byte by byte.

use crate::Endpoint;

// SAFETY: `repr(C)`, six `u32`s, no padding (asserted beside the type), and every bit pattern is a value.
unsafe impl aya::Pod for Endpoint {}
