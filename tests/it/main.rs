//! Tests of the pure core, and of the program as a process; neither needs a cluster.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the right answer")]
#![expect(clippy::needless_pass_by_value, reason = "`json!(…)` reads well as an argument")]

mod fixtures;
mod harness;

mod cause;
mod cause_table;
mod cause_words;
mod chart;
mod config_meaning;
mod config_shape;
mod config_show;
mod config_syntax;
mod crds;
mod docs;
mod down;
mod help;
mod help_models;
mod help_recovery;
mod images;
mod init;
mod lock;
mod models;
mod plan_build;
mod plan_decide;
mod plan_diff;
mod plan_drift;
mod plan_rollback;
mod readiness;
mod revisions;
mod secrets;
mod stack;
mod stack_graph;
mod tools;
mod values;
