# Everything starts here: `make run` gives a working Boss, `make test` its tests. Needs Python 3.11 or newer and make.

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
# uv takes the Python that is here; it never downloads one.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
# What is started again and again is compiled once.
export PYTHONDONTWRITEBYTECODE :=
UV_RUNS = UV_PYTHON="$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(UV)
PYTEST = $(BIN)/python -m pytest
# Files of the fault suite that are begun first, so that none of them is what everybody waits for at the end.
LONGEST := standby matrix tool_matrix away poison_simulation kills
# Forty messages a second are all that two cores can do, and the others' bounds in seconds would not hold beside them. A provider that is
# slow because of the others is none of the troubles that are counted.
ALONE := tests/chaos/test_order.py tests/chaos/test_providers.py tests/chaos/test_standby_times.py tests/chaos/test_mail_loops.py

.DEFAULT_GOAL := help
.PHONY: help install run test tests unit first-half second-half e2e eval chaos soak fuzz lint format bench clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## Build the environment .venv from the lock

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Bossline needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Name another with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/installed: pyproject.toml uv.lock | $(UV)
	$(UV_RUNS) sync --frozen --quiet --compile-bytecode
	@touch $@

.venv/installed-e2e: .venv/installed
	$(UV_RUNS) sync --frozen --quiet --compile-bytecode --inexact --group e2e
	@touch $@

.venv/installed-bench: .venv/installed
	$(UV_RUNS) sync --frozen --quiet --compile-bytecode --inexact --group bench
	@touch $@

.venv/installed-fuzz: .venv/installed
	$(UV_RUNS) sync --frozen --quiet --compile-bytecode --inexact --group fuzz
	@touch $@

run: install ## Start everything: web, worker, bridge, standby, embedded server and sandbox; Ctrl-C ends it
	@$(BIN)/boss config show >/dev/null && $(BIN)/honcho run $(BIN)/boss ready --beside $$$$ && exec $(BIN)/honcho start -p "$${PORT:-8787}"

test: install ## Lint beside the unit and integration tests
	@$(MAKE) -j2 lint tests

# The two halves of the unit tests take as long: xdist's workers would each import both.
FIRST_HALF := $(addprefix tests/unit/,bridge rq_async shared webhook_api)
SECOND_HALF := tests/architecture $(filter-out $(FIRST_HALF),$(patsubst %/,%,$(wildcard tests/unit/[a-z]*/)))
HALVES = $(MAKE) -k -j2 --output-sync=target --no-print-directory first-half second-half

# Files that take longest are begun first: at the end nobody waits for one of them alone.
BEGIN := tests/fuzz $(addprefix tests/integration/,mailbox/test_mutations.py mailbox/test_model.py standby turns/test_unknown.py system)

tests: install
	@status=0; $(PYTEST) $(BEGIN) tests/integration --ignore=tests/integration/mcp -n 4 --dist loadfile --no-loadscope-reorder || status=1; $(HALVES) || status=1; exit $$status

unit: install ## The unit tests but those of many inputs, and the checks of the repository itself; half a minute
	@$(HALVES) MARKED='-m "not many_inputs"'

first-half second-half: install
	@$(PYTEST) -q $(MARKED) $(if $(filter first-half,$@),$(FIRST_HALF),$(SECOND_HALF))

e2e: .venv/installed-e2e ## Start the Procfile as a user does, look at the page with a browser, and kill what runs: every fault in a short form
	$(PYTEST) tests/e2e
	$(PYTEST) tests/chaos tests/integration/mcp -n 4 --dist loadfile --no-loadscope-reorder

eval: install ## Hold conversations with the Boss, through the whole product; a real model where ANTHROPIC_API_KEY is set; EVAL="--restarts" kills between them
	@$(BIN)/python -m tests.evaluation $(EVAL)

chaos: install ## Every fault at full length, and the tables of what they did (docs/reference/chaos.md); half an hour
	@status=0; BOSSLINE_CHAOS=full $(PYTEST) $(LONGEST:%=tests/chaos/test_%.py) tests/chaos tests/integration/mailbox/test_model.py tests/integration/mailbox/test_money_in_parallel.py tests/integration/system/test_bench.py $(ALONE:%=--ignore=%) -n 3 --dist loadfile --no-loadscope-reorder || status=1; \
	BOSSLINE_CHAOS=full $(BOSSLINE_CHAOS_TABLE:%=BOSSLINE_CHAOS_TABLE=%.alone) $(PYTEST) $(ALONE) || status=1; exit $$status

soak: install ## An hour of the whole product at five messages a second, with random kills; SOAK_MINUTES=60 SOAK_SEED=...
	$(BIN)/python -m bench.soak

fuzz: .venv/installed-fuzz ## Throw 100,000 inputs at every parser together, then let coverage lead for a while; FUZZ_SECONDS for each
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100000} $(PYTEST) tests/fuzz -n 2
	$(PYTEST) tests/unit/shared/model/test_addresses.py -k "two_people or two_conversations" --hypothesis-profile=thorough --timeout=600 -n 2
	FUZZ_EXAMPLES=1 $(PYTEST) tests/unit --timeout=600 -n 2
	$(BIN)/python -m tests.fuzz.guided --seconds $${FUZZ_SECONDS:-20}

lint: install ## ruff, mypy --strict, the direction of the imports, secrets in the repository, known vulnerabilities in the locked packages
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy -n 2
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.secret_scan
	$(BIN)/python -m tools.audit

format: install ## Let ruff format the code
	$(BIN)/ruff format .

bench: .venv/installed-bench ## Measure Bossline beside other queues: webhooks, workers, latency, memory; BENCH="worker --quick" for less
	$(BIN)/python -m bench $(BENCH)

clean: ## Remove the environment and the caches; the data in .boss stays
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
