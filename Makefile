# make demo, make test and make check each set up what they need; nothing but Python 3.11+, make and git is assumed.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test check lint types layers coverage reliability outside bench bench-smoke matrix lock clean

help:
	@echo "make demo         watch conversations of every provider arrive, from a simulator on this machine"
	@echo "make test         run the tests"
	@echo "make check        run everything CI runs: lint, types, layers, tests with branch coverage"
	@echo "make reliability  run the tests and write how the fault cases ended to docs/reliability.md"
	@echo "make outside      try the adapters against the providers' specifications and SDKs (needs Node.js)"
	@echo "make bench        measure against what one would use instead; ten minutes at most, best on a quiet machine"
	@echo "make bench-smoke  only see that every benchmark runs"
	@echo "make matrix       run the tests on every CPython from 3.11 up that is installed here"
	@echo "make lock         renew requirements-dev.txt (needs uv)"

demo: .venv/ready
	$(BIN)/conversations-hub demo

test: .venv/ready
	$(BIN)/pytest -n auto -q

check: lint types layers coverage

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/ready
	$(BIN)/mypy
	$(BIN)/basedpyright

layers: .venv/ready
	$(BIN)/lint-imports

coverage: .venv/ready
	$(BIN)/pytest -n auto -q --cov --cov-branch --cov-fail-under=95

reliability: .venv/ready
	$(BIN)/pytest -n auto -q --reliability --deselect tests/test_reliability_page.py

outside: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check $(shell $(PYTHON) -c 'import tomllib; print(*map(repr, tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["outside"]))')
	$(BIN)/pytest -q -m outside -s

bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/run.py
	.venv-bench/bin/python benchmarks/chart.py

bench-smoke: .venv/ready
	$(BIN)/python benchmarks/run.py --smoke

matrix:
	@.ci/matrix

lock:
	uv pip compile pyproject.toml --extra cli --group test --group lint --group types \
		--universal --generate-hashes --no-header --no-annotate --upgrade -q -o requirements-dev.txt

.venv/ready: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, as in: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -e '.[cli]' \
		$(shell $(PYTHON) -c 'import tomllib; print(*map(repr, tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"]))')
	@touch $@

clean:
	rm -rf .venv .venv-* .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
