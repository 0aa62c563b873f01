//! What a run tells: events while it goes, a report at its end.

mod event;
mod human;
mod inventory;
mod lines;
mod table;

pub use event::{Event, Events, Receiver, Stage};
pub(crate) use human::show as show_events;
pub use inventory::{Contents, CustomResource, Definition, Fate, Inventory, Item, Registry, SecretEntry, Volume};
pub use lines::{Kept, RunReport, StepAction, StepReport, write_event};
pub use table::table;
