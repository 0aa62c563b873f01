"""How often the drift step says drift: of data as in training, and of data that moved.

``python bench/drift.py OUTPUT`` writes the counts as JSON and a table to stderr. Each case draws
its own training table, reference, model and window from one seed.
"""

import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops_pipelines.data import TARGET, make, split
from mlops_pipelines.model import build, features_of
from mlops_pipelines.report import Drift, compare
from mlops_pipelines.train import PREDICTION

LIMIT = 0.5
"""Share of the columns that counts as drift: the default of ``drift --drift-share``."""


@dataclass(frozen=True)
class Case:
    """One kind of window."""

    shift: float
    """Standard deviations that each feature moved."""
    rows: int
    seeds: int


CASES = [
    Case(0.0, 200, 100),
    Case(0.0, 1000, 100),
    Case(0.25, 1000, 20),
    Case(0.5, 200, 20),
    Case(0.5, 1000, 20),
    Case(1.0, 200, 20),
]
TRAINED_ROWS = 2000


def drift_of(seed: int, shift: float, rows: int) -> Drift:
    """Return what the drift step finds in ``rows`` predictions of a model trained with ``seed``."""
    train, _ = split(make(TRAINED_ROWS, seed), TARGET, 0.25, seed)
    features = features_of(train, TARGET)
    model = build(features, {"max_iter": 500}).fit(features, train[TARGET])
    reference = features.assign(**{PREDICTION: model.predict(features)})
    live = features_of(make(rows, 1_000_000 + seed, shift), TARGET)
    return compare(live.assign(**{PREDICTION: model.predict(live)}), reference, None)


def measure(case: Case) -> dict[str, object]:
    """Return the counts of one case."""
    columns: Counter[str] = Counter()
    alarms = 0
    began = time.monotonic()
    for seed in range(case.seeds):
        drift = drift_of(seed, case.shift, case.rows)
        alarms += drift.share >= LIMIT
        columns.update(name for name, column in drift.columns.items() if column.detected)
    seconds = round((time.monotonic() - began) / case.seeds, 3)
    return {
        **asdict(case),
        "alarms": alarms,
        "columns": dict(sorted(columns.items())),
        "seconds_each": seconds,
    }


def main() -> None:
    """Measure all cases."""
    output = Path(sys.argv[1])
    print(f"{'shift':>6} {'rows':>6} {'seeds':>6} {'alarms':>7}  columns", file=sys.stderr)
    results = []
    for case in CASES:
        results.append(measure(case))
        found = results[-1]
        counts = f"{case.shift:>6} {case.rows:>6} {case.seeds:>6} {found['alarms']:>7}"
        print(f"{counts}  {found['columns']}", file=sys.stderr)
    output.parent.mkdir(parents=True, exist_ok=True)
    report = {"trained_rows": TRAINED_ROWS, "drift_share": LIMIT, "cases": results}
    output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
