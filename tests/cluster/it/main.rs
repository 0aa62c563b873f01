//! `mlopsctl` against a real API server with simulated nodes: `cargo test --test cluster`, or `make test`.

#![expect(clippy::print_stdout, reason = "shown where a test fails")]

mod cluster;
mod stack;

mod causes;
mod changes;
mod concurrency;
mod down;
mod foreign;
mod full;
mod interrupts;
mod own_release;
mod plan;
mod repair;
mod secrecy;
