"""One file per command of `frame-pipeline`."""
