//! Events for people: a line per step, and on a terminal a live line for each that is under way.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::event::{Event, Receiver, Stage};
use super::lines::{StepAction, write_event};
use crate::printer::{Printer, Tone};

/// Shows events until the sender is gone.
pub(crate) async fn show(mut events: Receiver, printer: Printer) {
    let bars = printer.draws_bars().then(MultiProgress::new);
    let mut live: BTreeMap<String, ProgressBar> = BTreeMap::new();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        if printer.streams_events() {
            printer.data(&format!("{}\n", write_event(&event)));
            continue;
        }
        let line = |tone: Tone, word: &str, text: &str| {
            let text = format!("{} {text}", printer.paint(tone, &format!("{word:>12}")));
            match &bars {
                Some(bars) => bars.suspend(|| printer.say(&text)),
                None => printer.say(&text),
            }
        };
        match event {
            Event::Stage(Stage::Namespaces) => line(Tone::Good, "making", "namespaces"),
            Event::Stage(Stage::Secrets) => line(Tone::Good, "making", "Secrets"),
            Event::Stage(Stage::Crds) => line(Tone::Good, "applying", "CustomResourceDefinitions"),
            Event::Note(text) => line(Tone::Dim, "note", &text),
            Event::Started { release, action } => match &bars {
                Some(bars) => {
                    let bar = bars.add(ProgressBar::new_spinner().with_style(style()));
                    bar.set_prefix(release.clone());
                    bar.set_message(action.progressive());
                    bar.enable_steady_tick(Duration::from_millis(120));
                    live.insert(release, bar);
                }
                None => line(Tone::Dim, action.progressive(), &release),
            },
            Event::Applied { release } => {
                if let Some(bar) = live.get(&release) {
                    bar.set_message("waiting for its workloads");
                }
            }
            Event::Waiting { release, text, cause } => {
                if let Some(bar) = live.get(&release) {
                    bar.set_message(
                        cause
                            .as_ref()
                            .map_or(text, |cause| format!("{} {}: {}", cause.code, cause.title, cause.evidence)),
                    );
                } else if let Some(cause) = cause
                    && said.insert(release.clone(), cause.code.to_owned()).as_deref() != Some(cause.code)
                {
                    line(Tone::Warn, cause.code, &format!("{release}: {}: {}", cause.title, cause.evidence));
                }
            }
            Event::Finished { release, action, seconds, cause } => {
                if let Some(bar) = live.remove(&release) {
                    bar.finish_and_clear();
                }
                let time = if seconds > 0.0 { format!(" ({seconds:.1}s)") } else { String::new() };
                let tone = match action {
                    StepAction::Failed => Tone::Bad,
                    StepAction::Skipped => Tone::Warn,
                    StepAction::Unchanged => Tone::Dim,
                    _ => Tone::Good,
                };
                match cause {
                    None => line(tone, action.name(), &format!("{release}{time}")),
                    // What follows from something else needs no advice of its own.
                    Some(cause) if cause.is_consequence() => {
                        line(Tone::Warn, action.name(), &format!("{release}{time}: {}", cause.evidence));
                    }
                    Some(cause) => {
                        line(tone, action.name(), &format!("{release}{time}"));
                        line(tone, cause.code, cause.title);
                        for evidence in cause.evidence.lines() {
                            line(Tone::Dim, "", evidence);
                        }
                        line(Tone::Dim, "fix", &cause.fix);
                    }
                }
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix:.bold} {wide_msg} {elapsed:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
