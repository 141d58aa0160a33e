# Two commands on a fresh clone: `make demo` sets up and runs the main job, `make test` sets up and passes the tests.
PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=

BIN := .venv/bin
UV = $(shell command -v uv || echo $(BIN)/uv)
# uv does not read PIP_FIND_LINKS by itself. A CPU build of torch is taken from there where there is one.
WHEELS := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS))
TORCH := $(if $(wildcard $(PIP_FIND_LINKS)/torch-*.whl),[cpu])

.PHONY: demo test check bench up clean

demo: .venv/.base
	$(BIN)/frame-pipeline demo

test: .venv/.dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

up: .venv/.base
	$(BIN)/frame-pipeline up

clean:
	rm -rf .venv demo store .pytest_cache .mypy_cache .ruff_cache

.venv/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	command -v uv > /dev/null || $(BIN)/python -m pip install --quiet uv
	$(UV) pip install --quiet --python $(BIN)/python $(WHEELS) --editable .
	touch $@

.venv/.dev: .venv/.base
	$(UV) pip install --quiet --python $(BIN)/python $(WHEELS) --editable ".$(TORCH)" --group dev
	touch $@
