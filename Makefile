# Plain `make` lists what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8000
MINUTES ?= 10
# Three processes for two CPUs: a test often waits for a browser, a server or a database.
WORKERS ?= $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))
BIN := .venv/bin
# Each worker takes its share in one piece, so that few servers are started twice, and helps another when it is done.
IN_PARALLEL = -n $(WORKERS) --maxprocesses 8 --dist worksteal

# The tests are compiled once, also where the environment says that no one should: their assertions take seconds to rewrite.
test test-quick test-long: export PYTHONDONTWRITEBYTECODE :=

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade pyproject.toml

.PHONY: help setup demo test test-quick test-long check bench bench-replay soak lock audit sbom clean

help:  ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup: .venv/.ready  ## create .venv and install everything into it

.venv/.ready: pyproject.toml deploy/requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "Missing: $(PYTHON). Install Python 3.11 or newer, or call make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed; {sys.executable} is {v.major}.{v.minor}. Try make PYTHON=python3.11")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Missing: Python's venv module. On Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## run the service with its sandbox on 127.0.0.1:8000 (PORT changes it) and a request to paste
	@$(BIN)/knee-cds examples build/patients
	KNEE_CDS_DATABASE_URL=$${KNEE_CDS_DATABASE_URL:-sqlite:///build/demo.db} $(BIN)/knee-cds demo --port $(PORT)

test: setup  ## set up and run the tests, three processes for two CPUs (WORKERS changes it)
	$(BIN)/python -m pytest $(IN_PARALLEL)

test-quick: setup  ## the tests of the judgement and of the cards
	$(BIN)/python -m pytest $(IN_PARALLEL) tests/base tests/clinical/dvt tests/clinical/content/test_content.py tests/rendering/test_compose.py tests/rendering/test_wording.py tests/test_worked_cases.py tests/test_architecture.py

test-long: setup  ## the tests with many more generated charts, and on Spark if the extra is installed and there is Java
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest $(IN_PARALLEL) -m ""

check: setup  ## lint, types, security lint, content and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml cds_service
	$(BIN)/knee-cds check
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_architecture.py

bench: setup  ## the service beside three bare servers (writes deploy/SPEED.md), and fifty calls at once with a slow FHIR server
	$(BIN)/python -m tests.bench.speed
	$(BIN)/python -m tests.bench.fhir

bench-replay: setup  ## 1,500 charts of 115 kB replayed: charts/s, memory, and what a million would take
	$(BIN)/python -m tests.bench.replay 1500

soak: setup  ## ten minutes of mixed load, good and hostile (MINUTES changes it): correct cards, steady memory
	$(BIN)/python -m tests.bench.soak $(MINUTES)

lock: setup  ## resolve the dependencies anew into deploy/requirements*.txt, with hashes
	$(LOCK) --output-file deploy/requirements.txt
	$(LOCK) --extra tracing --output-file deploy/requirements-tracing.txt
	$(LOCK) --extra replay --output-file deploy/requirements-replay.txt
	$(LOCK) --extra spark --output-file deploy/requirements-spark.txt
	$(LOCK) --extra dev --output-file deploy/requirements-dev.txt

audit: setup  ## ask the vulnerability database about the locked packages (needs the network)
	$(BIN)/pip-audit --disable-pip --require-hashes --requirement deploy/requirements.txt

sbom: setup  ## what the service is made of, as CycloneDX: build/sbom.json
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file build/sbom.json deploy/requirements.txt

clean:  ## remove what the other targets made
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
