//! Tests of the pure core, and of the program as a process; neither needs a cluster.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]

mod harness;

mod config_meaning;
mod config_shape;
mod config_show;
mod config_syntax;
mod help;
mod init;
mod lock;
mod tools;
