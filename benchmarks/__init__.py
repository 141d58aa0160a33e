"""How fast, against what: ratios measured in one run. `python -m benchmarks` runs all of them."""
