//! The whole gateway, from outside: a real process, real sockets, real clients.

mod cli;
mod kafka;
mod netns;
mod observe;
mod operate;
mod pipelined_login;
mod steered_gateway;
mod steering;
mod upstream_down;
