//! For how long a cause has been seen.

use std::time::{Duration, Instant};

use super::Cause;

/// The code that is seen now, and since when it is.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::apply) struct Lasting(Option<(&'static str, Instant)>);

impl Lasting {
    /// Takes down what is seen now. Says whether it cannot heal by itself and has lasted for `grace`.
    pub(in crate::apply) fn see(&mut self, cause: Option<&Cause>, grace: Duration) -> bool {
        let known = self.0.take();
        let Some(cause) = cause else { return false };
        let (_, since) =
            *self.0.insert(known.filter(|(code, _)| *code == cause.code).unwrap_or((cause.code, Instant::now())));
        cause.permanent && since.elapsed() >= grace
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cause, Lasting};
    use crate::apply::cause::table::kind;

    const LONG: Duration = Duration::from_hours(1);

    fn cause(code: &str, permanent: bool) -> Cause {
        Cause { permanent, ..Cause::of_kind(kind(code).unwrap(), "x", "y", "z") }
    }

    #[test]
    fn only_what_cannot_heal_and_has_lasted_ends_a_step() {
        let mut lasting = Lasting::default();
        assert!(!lasting.see(Some(&cause("MLC122", false)), Duration::ZERO));
        assert!(!lasting.see(Some(&cause("MLC122", true)), LONG));
        assert!(lasting.see(Some(&cause("MLC122", true)), Duration::ZERO));
    }

    #[test]
    fn the_time_of_a_cause_counts_from_its_first_sight() {
        let mut lasting = Lasting::default();
        lasting.see(Some(&cause("MLC122", false)), LONG);
        std::thread::sleep(Duration::from_millis(20));
        assert!(lasting.see(Some(&cause("MLC122", true)), Duration::from_millis(20)));
        assert!(!lasting.see(Some(&cause("MLC103", true)), Duration::from_millis(20)), "another one begins anew");
        assert!(!lasting.see(None, Duration::ZERO));
    }
}
