//! A row of the table of causes, and how its signs are read.

/// A row of the table: a stable code, what it means, how it shows, how to mend it.
#[derive(Debug)]
pub struct CauseKind {
    /// `MLC` and a number; never given to another cause.
    pub code: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// What it means, in sentences.
    pub meaning: &'static str,
    /// The first thing to do. NAMESPACE, POD and RELEASE stand for those of the case.
    pub fix: &'static str,
    /// It cannot heal by itself; waiting longer than the grace is of no use.
    pub permanent: bool,
    /// What shows it; any of them is enough, the first that is found is the evidence. None where it is no matter of words.
    pub signs: &'static [Sign],
}

impl CauseKind {
    /// Returns the path of its page in the repository.
    pub fn docs(&self) -> String {
        format!("docs/causes/{}.md", self.code)
    }

    /// Says whether a text from a source shows it.
    pub(super) fn shows_in(&self, source: Source, text: &str) -> bool {
        self.signs.iter().any(|sign| sign.is_in(source, text))
    }
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The state of an object, a condition or an event.
    Cluster,
    /// A line that a container wrote.
    Log,
    /// helm or kubectl, in an error.
    Tool,
}

/// Words that show a cause, if they come from the right source: `connection refused` in a program's log says nothing about the
/// API server.
#[derive(Debug)]
pub struct Sign {
    sources: &'static [Source],
    words: &'static [&'static str],
}

impl Sign {
    /// Says whether all words are in a text from a source.
    pub(super) fn is_in(&self, source: Source, text: &str) -> bool {
        self.sources.contains(&source) && self.words.iter().all(|word| text.contains(word))
    }
}

/// Returns a sign in what the cluster says.
pub(super) const fn cluster(words: &'static [&'static str]) -> Sign {
    Sign { sources: &[Source::Cluster], words }
}

/// Returns a sign in what a container wrote.
pub(super) const fn log(words: &'static [&'static str]) -> Sign {
    Sign { sources: &[Source::Log], words }
}

/// Returns a sign in an error of helm or kubectl.
pub(super) const fn tool(words: &'static [&'static str]) -> Sign {
    Sign { sources: &[Source::Tool], words }
}

/// Returns a sign in what the cluster says, also where helm or kubectl passes it on.
pub(super) const fn any(words: &'static [&'static str]) -> Sign {
    Sign { sources: &[Source::Cluster, Source::Tool], words }
}
