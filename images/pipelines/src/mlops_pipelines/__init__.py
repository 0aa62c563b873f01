"""Steps of a training and a drift pipeline, each a command of its own."""

__version__ = "0.1.0"
