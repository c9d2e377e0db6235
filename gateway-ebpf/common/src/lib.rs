//! Map keys, values and limits shared by the kernel programs and their loader.
#![no_std]
