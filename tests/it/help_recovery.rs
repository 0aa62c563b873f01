//! Help texts of the commands that go back.

use crate::harness::snapshot;
use crate::help::own_part;

#[test]
fn commands_that_go_back() {
    snapshot!(own_part("history"), @r"
    List what was in force after earlier runs

    Usage: mlopsctl history [OPTIONS] [REVISION]

    Arguments:
      [REVISION]
              Only this revision, with its releases

    Options:
    ");
    snapshot!(own_part("rollback"), @r"
    Bring an earlier revision of the whole stack into force: show the plan, ask, then roll back

    Usage: mlopsctl rollback [OPTIONS] [REVISION]

    Arguments:
      [REVISION]
              The revision, as `history` numbers it; the newest good one that is not in force if not
              given

    Options:
      -y, --yes
              Answer yes to all questions

          --grace <SECONDS>
              Seconds after which a cause that cannot heal by itself ends a step

              [env: MLOPSCTL_GRACE=]
              [default: 20]

          --parallel <N>
              Releases that helm works on at the same time

              [env: MLOPSCTL_PARALLEL=]
              [default: 8]

          --dry-run
              Show the way back, and do nothing

          --backup <NAME>
              Backup of what cannot go back by itself, such as a database schema; it is noted, not
              restored

          --partial
              Leave releases as they are that helm cannot bring back

          --prune
              Remove releases that were not there then
    ");
}
