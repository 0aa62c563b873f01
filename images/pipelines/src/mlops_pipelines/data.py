"""``data``: makes or reads a table and splits it.

Without ``--input`` it makes a synthetic table of customers (five numeric features, target
``churned``). The same seed gives the same split, byte for byte in CSV.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from mlops_pipelines.errors import ExitCode, StepError
from mlops_pipelines.files import read_table, write_table
from mlops_pipelines.log import say

SUMMARY = "make or read a table and split it into train and test"
TARGET = "churned"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of the step."""
    parser.add_argument("--input", type=Path, help="table to read in place of the synthetic one")
    parser.add_argument("--rows", type=int, default=2000, help="rows to make (default: 2000)")
    parser.add_argument(
        "--shift",
        type=float,
        default=0.0,
        help="moves the features by this many standard deviations, to try out drift (default: 0)",
    )
    parser.add_argument("--target", default=TARGET, help=f"target column (default: {TARGET})")
    parser.add_argument("--test-share", type=float, default=0.25, help="0 to 1 (default: 0.25)")
    parser.add_argument("--seed", type=int, default=7, help="of the table and the split")
    parser.add_argument("--train", type=Path, required=True, help="output, .csv or .parquet")
    parser.add_argument("--test", type=Path, required=True, help="output, .csv or .parquet")


def run(args: Namespace) -> int:
    """Write both splits; StepError when the table has no usable target."""
    table = read_table(args.input) if args.input else make(args.rows, args.seed, args.shift)
    train, test = split(table, args.target, args.test_share, args.seed)
    write_table(train, args.train)
    write_table(test, args.test)
    say(f"{len(train)} rows to {args.train}, {len(test)} rows to {args.test}")
    return ExitCode.OK


def make(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Return ``rows`` customers: five float64 features and the int64 column ``churned`` (0 or 1).

    ``shift`` counts standard deviations of each feature. The rule behind the target stays the
    same, as it does when the world moves and the model does not.
    """
    if rows < 20:
        raise StepError(f"{rows} rows are too few, 20 are the least")
    random = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "tenure_months": random.gamma(2.0, 14.0, rows) + 28.0 / 2**0.5 * shift,
            "monthly_charge": random.normal(62.0, 18.0, rows) + 18.0 * shift,
            "support_calls": random.poisson(2.0, rows) + 2.0**0.5 * shift,
            "data_gigabytes": random.gamma(3.0, 5.0, rows) + 5.0 * 3.0**0.5 * shift,
            "age_years": random.normal(44.0, 13.0, rows) + 13.0 * shift,
        }
    ).round(3)
    score = (
        -0.05 * (features["tenure_months"] - 28.0)
        + 0.04 * (features["monthly_charge"] - 62.0)
        + 0.9 * (features["support_calls"] - 2.0)
        - 0.03 * (features["data_gigabytes"] - 15.0)
    )
    noise = random.logistic(0.0, 0.5, rows)
    return features.assign(**{TARGET: (score + noise > 0.0).astype("int64")})


def split(
    table: pd.DataFrame, target: str, test_share: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train and test with the target's classes in equal shares.

    Rows without a target are left out: nothing can be learnt or measured from them.
    """
    if target not in table.columns:
        raise StepError(f"no column {target!r}, there are: {', '.join(map(str, table.columns))}")
    if not 0.0 < test_share < 1.0:
        raise StepError(f"test share {test_share} is not between 0 and 1")
    table = table.dropna(subset=[target])
    counts = table[target].value_counts()
    if len(counts) < 2:
        raise StepError(f"column {target!r} has {len(counts)} classes, 2 are the least")
    if counts.min() < 2:
        raise StepError(f"class {counts.idxmin()!r} of {target!r} has one row, 2 are the least")
    try:
        train, test = train_test_split(
            table, test_size=test_share, random_state=seed, stratify=table[target]
        )
    except ValueError as error:
        raise StepError(f"the table cannot be split: {error}") from error
    return train.reset_index(drop=True), test.reset_index(drop=True)
