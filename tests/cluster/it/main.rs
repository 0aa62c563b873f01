//! `mlopsctl` against a real API server with simulated nodes: `cargo test --test cluster`, or `make test`.

#![expect(clippy::print_stdout, reason = "shown where a test fails")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in its helpers")]

mod cluster;
mod proxy;
mod secrecy;
mod stack;

mod acceptance;
mod causes;
mod changes;
mod concurrency;
mod conflicts;
mod diagnose;
mod down;
mod faults;
mod foreign;
mod helm3;
mod interrupts;
mod minimal;
mod models;
mod own_release;
mod plan;
mod real_node;
mod real_node_logins;
mod render;
mod repair;
mod rollback;
