"""HTTP predictions of one model from the MLflow registry."""

__version__ = "0.1.0"
