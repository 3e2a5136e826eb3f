//! A server with a feed, in the process, whose connections a test delays, cuts and silences.

mod connection;
mod node;
mod server;

pub(crate) use self::{
    node::Node,
    server::{Path, Server},
};
