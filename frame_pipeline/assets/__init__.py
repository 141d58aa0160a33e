"""The Dagster assets: declarations only; the work is in the domain packages."""
