//! The whole gateway, from outside: a real process, real sockets, real clients.

mod netns;
mod steering;
