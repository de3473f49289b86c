# Everything runs from .venv, made from the hash-pinned locks in requirements/. Needs make and
# Python 3.11 or newer; `make PYTHON=/path/to/python3.13 setup` takes another one than python3.

PYTHON ?= python3
BIN := .venv/bin
TEMPLATE := $(wildcard template.yaml)
SYNC = $(BIN)/uv pip sync --quiet --require-hashes --no-build
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(UPGRADE)

# A file's tests share its servers, so they stay together; the small files of tests/unit come last.
BY_FILE = -n 2 --dist loadfile --no-loadscope-reorder
ALL := $(filter true,$(CI))

export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY = 0
# The authorities that a company adds to its machines; uv brings its own list otherwise.
export UV_SYSTEM_CERTS ?= true

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-fast bench test-athena soak fuzz layer sbom parameters check check-code check-template format lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed  ## Make the development environment .venv

demo: setup  ## Run all assets against a simulated API and an embedded AWS, then query the lake
	$(BIN)/python -m tests.demo

test: setup $(if $(ALL),.venv-dbt/.installed .venv-fakesnow/.installed .venv-focus/.installed .venv-sam/.installed)  ## Run the tests; ARGS="-k word" for some of them, CI=true for the slow ones too
	$(BIN)/pytest $(BY_FILE) -m "not athena$(if $(ALL),, and not slow)" $(ARGS)

test-fast: setup  ## Run the tests that need neither server nor process: what one runs while editing
	$(BIN)/pytest $(BY_FILE) tests/unit $(ARGS)

test-athena: setup  ## Query the deployed stack's lake with a real Trino (Java 24, Maven; fetches 450 MB once)
	$(BIN)/pytest -m athena $(ARGS) tests/athena

soak: setup  ## Play 10,000 fault plans and sync large inputs; PLANS=1 SEED=n for the plan that failed
	$(BIN)/python -m tests.reliability.soak --plans $(or $(PLANS),10000) --seed $(or $(SEED),0)
	$(if $(PLANS),,$(BIN)/pytest -m slow tests/reliability/test_large.py tests/reliability/test_wire.py)

fuzz: setup .venv-fuzz/.installed  ## Fuzz the way of a row by atheris, for ten minutes (Linux)
	@.venv-fuzz/bin/python -c 'import atheris' || { echo "skipped: no atheris here"; exit 0; }; \
		PYTHONPATH=functions:. .venv-fuzz/bin/python -m tests.reliability.fuzz_rows build/fuzz \
		-max_total_time=$(or $(SECONDS),600) -max_len=65536 -artifact_prefix=build/fuzz-

layer: setup  ## Build the functions' layer and say how large it is
	$(BIN)/python -m infra.layer.build --output build/layer --zip build/layer.zip

sbom: setup  ## List what a function is made of: CycloneDX, build/sbom.json
	mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements/function.txt --output-reproducible \
		--output-format JSON --output-file build/sbom.json

parameters: .venv-sam/.installed  ## Set parameters for this and every later deploy: SET="Name=value ...", CONFIG_ENV=name
	.venv-sam/bin/python -m infra.parameters --config-env $(or $(CONFIG_ENV),default) $(SET)

bench: setup  ## Measure against ingestr and the floor; ARGS="peer --only cost" for a part
	$(BIN)/python -m tests.benchmarks $(ARGS)

check: check-code $(TEMPLATE:%.yaml=check-%)  ## Check format, lint, types, generated text, template

check-code: setup  ## Check the Python code, spelling and the generated text
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/bandit --quiet --severity-level medium --recursive functions
	$(BIN)/python -m infra.generate --check

check-template: setup .venv-sam/.installed .venv-checkov/.installed  ## Check template.yaml
	$(BIN)/cfn-lint template.yaml
	.venv-sam/bin/sam validate --lint --template template.yaml
	.venv-checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation \
		--file template.yaml

format: setup  ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: .venv/.uv  ## Compile the locks from pyproject.toml; UPGRADE=--upgrade for newer versions
	$(COMPILE) pyproject.toml --extra cli --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra cli -c requirements/dev.txt -o requirements/cli.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/function.txt
	$(COMPILE) --group bootstrap -c requirements/dev.txt -o requirements/bootstrap.txt
	$(COMPILE) --group sam -o requirements/sam.txt
	$(COMPILE) --group checkov -o requirements/checkov.txt
	$(COMPILE) --group fakesnow -o requirements/fakesnow.txt
	$(COMPILE) --group dbt --no-emit-package dbt-core-experimental-parser -o requirements/dbt.txt
	$(subst version 3.11,version 3.12,$(COMPILE)) --group focus --no-emit-package pandasql \
		-o requirements/focus.txt
	$(COMPILE) pyproject.toml --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt

clean:  ## Remove environments, caches and build outputs
	rm -rf .venv .venv-* .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find functions infra tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is up to date when its stamp is newer than what it was made from.

.venv/.uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python " \
		+ sys.version.split()[0] + "; anthropic-lake needs 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.installed: requirements/dev.txt pyproject.toml .venv/.uv
	$(SYNC) --python $(BIN)/python $<
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The validator wants Python 3.12, no more and no less, and is the one package that has no wheel
# everywhere; pandasql, which it names and does not import, is left out of its lock.
FOCUS_PYTHON ?= $(firstword $(shell for python in python3.12 ~/.pyenv/versions/3.12*/bin/python; do \
	$$python -c 'import venv' 2>/dev/null && echo $$python; done))

.venv-focus/.installed: requirements/focus.txt .venv/.uv
	@if [ -z "$(FOCUS_PYTHON)" ]; then echo "no Python 3.12: FOCUS is not checked"; exit 0; fi; set -e; \
	$(BIN)/uv venv --quiet --clear --python $(FOCUS_PYTHON) .venv-focus; \
	$(SYNC:--no-build=) --build-constraints $< --python .venv-focus/bin/python $<; \
	touch $@

.venv-%/.installed: requirements/%.txt .venv/.uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-$*
	$(SYNC) --python .venv-$*/bin/python $<
	@touch $@
