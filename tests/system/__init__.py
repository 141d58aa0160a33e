"""Claims on the whole system: the command line, the store and the Dagster side, on real clips and real disks."""
