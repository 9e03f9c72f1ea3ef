# Each command sets up what it needs; nothing but Python 3.11+ with its pip, make and git is assumed.

PYTHON ?= python3
export PYTHON
# Compiled modules are kept, whatever this machine prefers: without them half of a command's start is compiling.
unexport PYTHONDONTWRITEBYTECODE

DEMO := .venv-demo/bin/python
DEV := .venv/bin/python
BENCH := .venv-bench/bin/python
OUTSIDE := .venv-outside/bin/python
WEB := .venv-web/bin/python
AGENTS := .venv-agents/bin/python
PYTEST := -m pytest -n auto -q
# Extras are kept, or pip before 23.3 looks for their newest release and refuses it for want of a hash.
LOCK := --universal --generate-hashes --no-strip-extras --no-header --no-annotate --upgrade

.PHONY: help demo page test check lint types types-mypy types-basedpyright types-public layers coverage browser engines docs pictures reference \
	reliability web agents outside nightly newest lowest matrix bench bench-smoke bench-count bench-compare lock locks fresh-demo \
	dist clean set-up-demo set-up

help:
	@echo "make demo         watch conversations of every provider arrive, from a simulator on this machine"
	@echo "make page         the same, shown in your browser"
	@echo "make test         run the tests"
	@echo "make check        run everything CI runs: tests, lint, types, layers, the documentation, the page,"
	@echo "                  benchmarks, locks, packages"
	@echo "make coverage     say which lines and branches no test runs"
	@echo "make newest       run the tests with the newest releases that the ranges in pyproject.toml allow"
	@echo "make lowest       run the tests with the lowest"
	@echo "make matrix       run the tests on every CPython from 3.11 up that is installed here"
	@echo "make nightly      run the tests that take minutes"
	@echo "make web          try FastAPI, Starlette, Litestar, Quart and Django: answers and webhooks; and the gateway with schemathesis"
	@echo "make browser      try the page of \`serve\` in a headless Chromium"
	@echo "make agents       try the tools for agents with MCP, its inspector (needs Node.js), and agent frameworks"
	@echo "make engines      try what shares work: Postgres, Redis, Spark, dlt and others (needs their servers, and Java 17)"
	@echo "make outside      try the adapters against the providers' specifications and SDKs, and what formats write"
	@echo "                  in programs of others (needs Node.js, Python 3.12, espeak-ng)"
	@echo "make docs         build the documentation site into site/, and check its links and what its pages load"
	@echo "make reference    write the pages that are made from the code: providers, commands, errors, Python"
	@echo "make pictures     take the pictures in docs/pictures anew: of the demo, and of the page (needs Chromium)"
	@echo "make reliability  run the tests and write how the fault cases ended to docs/explanation/reliability.md"
	@echo "make bench        measure against what one would use instead; fifteen minutes at most, best on a quiet machine"
	@echo "make bench-smoke  only see that every benchmark runs"
	@echo "make bench-count  count the instructions of the hottest operations (needs valgrind)"
	@echo "make bench-compare REV=main"
	@echo "                  say what moved since a revision, or since the last release with REV=release"
	@echo "make lock         write requirements.txt and requirements-dev.txt anew, with the newest releases"
	@echo "make locks        see that old and new versions of pip can install both"
	@echo "make dist         build the wheel and the sdist, and run the demo from each in an empty environment"
	@echo "make clean        remove what all of these made"

demo: set-up-demo
	$(DEMO) -m conversations_hub demo
	@echo; echo "In this folder, conversations-hub is $(DEMO) -m conversations_hub; \`make page\` shows all of this in a browser."

page: set-up-demo
	$(DEMO) -m conversations_hub demo --page

test: set-up
	@echo "Running the tests: two to three minutes on two quiet cores."
	$(DEV) $(PYTEST)

# With TESTED=yes, the tests have just been run.
check: $(if $(TESTED),,test) lint types layers docs browser bench-smoke locks fresh-demo dist

lint: set-up
	$(DEV) -m ruff format --check .
	$(DEV) -m ruff check .

types: types-mypy types-basedpyright types-public

types-mypy: set-up
	$(DEV) -m mypy

types-basedpyright: set-up
	$(DEV) -m basedpyright

# Whether the types of every public name are complete, as somebody who installed the package sees them.
types-public: set-up
	cd .venv && PYTHONPATH="$(CURDIR):$$(bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
		bin/python -m basedpyright --verifytypes conversations_hub --ignoreexternal

layers: set-up
	.venv/bin/lint-imports

# Without the tests that try in very many ways what others try once: `make test` runs them, and no line of theirs counts.
coverage: set-up
	$(DEV) $(PYTEST) -m 'not no_cover and not nightly and not outside and not browser and not engine' --cov --cov-branch --cov-fail-under=95

# The builder says nothing about a navigation entry without a page, so a test does.
docs: set-up
	$(DEV) -m zensical build --config-file .zensical.toml --clean --strict
	$(DEV) -m tests.support.site site

reference: set-up
	$(DEV) -m tests.support.generated

pictures: set-up
	$(DEV) -m tests.support.pictures docs/pictures

reliability: set-up
	$(DEV) $(PYTEST) --reliability --deselect tests/docs/test_reliability_page.py

newest: RESOLUTION := highest
lowest: RESOLUTION := lowest-direct
newest lowest:
	.ci/uv venv --clear --python $(PYTHON) .venv-$@
	.ci/uv pip install --python .venv-$@ --resolution $(RESOLUTION) -e '.[cli,duckdb,ed25519]' --group test
	.ci/uv pip list --python .venv-$@
	.venv-$@/bin/python $(PYTEST)

nightly: set-up
	$(DEV) -m pytest -q -m nightly

browser: set-up
	@.ci/browser

web: .venv-web/made
	$(WEB) -m pytest -q tests/docs/test_embedding_page.py tests/serve/test_in_frameworks.py tests/serve/test_openapi.py \
		tests/examples/test_web_back_end.py tests/examples/test_dashboard.py

agents: .venv-agents/made
	$(AGENTS) -m pytest -q tests/agents/test_mcp.py tests/agents/test_inspector.py tests/docs/test_agents_page.py \
		tests/examples/test_agent_over_mcp.py

engines: .venv-engines/made
	@.ci/engines

outside: .venv-outside/made
	$(OUTSIDE) -m pytest -q -m outside -s

matrix:
	@.ci/matrix

bench: .venv-bench/made
	$(BENCH) benchmarks/run.py
	$(BENCH) benchmarks/chart.py

bench-smoke: set-up
	$(DEV) benchmarks/run.py --smoke

bench-count: set-up
	$(DEV) benchmarks/count.py $(KINDS)

bench-compare: set-up
	$(DEV) benchmarks/count.py $(KINDS) --against $(or $(REV),$(error say REV=… to compare with)) \
		$(if $(FAIL_ABOVE),--fail-above $(FAIL_ABOVE))

lock:
	.ci/uv pip compile $(LOCK) --extra cli -o requirements.txt pyproject.toml
	.ci/uv pip compile $(LOCK) --extra cli --extra duckdb --extra ed25519 --group build --group test --group lint \
		--group types --group docs --constraint requirements.txt -o requirements-dev.txt pyproject.toml

locks: set-up
	@.ci/try-locks

fresh-demo:
	@.ci/fresh-demo

dist: set-up
	@.ci/dist

# The judge of vCons needs 3.12, so this takes the newest there is, unless another is named.
.venv-outside/made: PYTHON = $(lastword $(shell .ci/pythons))

.venv-web/made .venv-agents/made .venv-engines/made .venv-outside/made .venv-bench/made: .venv-%/made: pyproject.toml
	.ci/uv venv --clear --python $(PYTHON) .venv-$*
	.ci/uv pip install --python .venv-$* -e '.[cli,ed25519]' --group test --group $*
	@touch $@

set-up-demo:
	@.ci/set-up .venv-demo requirements.txt

set-up:
	@.ci/set-up .venv requirements-dev.txt --project

clean:
	rm -rf .venv .venv-* dist site .cache .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
