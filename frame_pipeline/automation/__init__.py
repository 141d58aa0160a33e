"""Partitions, the Dagster instance of a store, runs and asset checks."""
