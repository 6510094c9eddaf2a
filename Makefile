# `make` alone prints what there is. Everything runs in .venv, made and kept up to date by the targets themselves.
SHELL := /bin/bash
PYTHON ?= python3
PIP_TOOLS := 7.6.2

VENV := .venv
BIN := $(VENV)/bin
# The name of the stamp is the content of what is installed: another lock file makes another environment.
WANTED := $(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.installed-$(WANTED)
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check lint bench sim sim-many mutants fmt lock clean contracts faults fuzz python

help: ## Print this help
	@echo "Crossdock: the order backbone of a retailer"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

demo: $(STAMP) ## Run a whole retailer on this machine (RATE= orders a second, TICKETS=, STORES=, SECONDS=, SEED=, PORT=, STORE=postgres, ERP=tryton)
	@$(BIN)/crossdock demo $(call flag,RATE,rate) $(call flag,SECONDS,seconds) $(call flag,SEED,seed) $(call flag,PORT,port) \
	$(call flag,TICKETS,tickets) $(call flag,STORES,stores) $(call flag,STORE,store) $(call flag,ERP,erp)

test: $(STAMP) ## Run every test; what was skipped is printed with its reason
	@echo "== tests, two workers"
	@$(BIN)/python -m pytest -n 2 -m "not serial"; first=$$?; \
	echo "== tests that need the machine to themselves"; \
	$(BIN)/python -m pytest -m serial; second=$$?; \
	if [ $$second -eq 5 ]; then second=0; fi; \
	exit $$(( first > second ? first : second ))

check: lint ## Check format, style, types, layers and the fast tests, in under a minute
	@echo "== tidy and fast tests"
	@$(BIN)/python -m pytest -q -n 2 -m "not slow and not serial"

lint: $(STAMP) ## Check format, style, types and layers
	@failed=""; \
	run() { echo "== $$1"; shift; "$$@" || failed="$$failed '$$*'"; }; \
	run format $(BIN)/ruff format --check --quiet; \
	run style $(BIN)/ruff check --quiet; \
	run types $(BIN)/mypy --no-error-summary; \
	run layers $(BIN)/lint-imports --no-cache; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

HELD ?= $(if $(PART),0,1000000)
bench: $(STAMP) ## Measure how fast it is (PART= one part, ORDERS= how many, STORE= sqlite|postgres|both, HELD= orders that stores hold which are measured too; 0: none)
	@$(BIN)/python -m bench $(call flag,PART,part) $(call flag,ORDERS,orders) \
	$(if $(STORE),--store "$(STORE)",$(if $(PART),,--store both)) --held $(HELD)

sim: $(STAMP) ## Run the simulation of one seed (SEED=, DAYS=, FAULTS=a,b or none, ORDERS=1,2,3, A_DAY=, TRACE=file)
	@$(BIN)/python -m sim one $(call flag,SEED,seed) $(call flag,DAYS,days) $(call flag,FAULTS,faults) $(call flag,ORDERS,orders) \
	$(call flag,A_DAY,a-day) $(call flag,TRACE,trace)

sim-many: $(STAMP) ## Run many seeds over all cores (SEEDS=, SEED= the first, DAYS=, FAULTS=)
	@$(BIN)/python -m sim many $(call flag,SEEDS,seeds) $(call flag,SEED,seed) $(call flag,DAYS,days) $(call flag,FAULTS,faults)

mutants: $(STAMP) ## Plant bugs into a copy of the source and see what finds them (NAMES= part of a name, SEEDS= of each)
	@$(BIN)/python -m sim mutants $(call flag,NAMES,names) $(call flag,SEEDS,seeds)

faults: $(STAMP) ## Write docs/FAULTS.md from the tests (N=: run the tests of one fault instead; RUN=1: run them all first)
	@$(BIN)/python -m tools.faults $(if $(RUN),--run,$(N))

fuzz: $(STAMP) ## Search for what breaks the faces (SECONDS= how long, 600 where nothing is said; SEED=)
	@$(BIN)/python -m tools.fuzz $(or $(SECONDS),600) $(SEED)

contracts: $(STAMP) ## Write the published contracts from the model
	@$(BIN)/python -m crossdock.model.contracts

fmt: $(STAMP) ## Format the code and repair what can be repaired
	@$(BIN)/ruff check --fix --quiet; status=$$?; $(BIN)/ruff format --quiet && exit $$status

lock: python ## Resolve the dependencies anew into requirements/*.txt (UPGRADE=1 takes newer versions)
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --quiet install pip-tools==$(PIP_TOOLS)
	@$(call compile,runtime,)
	@$(call compile,dev,--extra=dev --constraint=requirements/runtime.txt)

clean: ## Remove the environment, the caches and what was built
	@rm -rf .venv .venv-lock build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests $(wildcard bench) -name __pycache__ -type d -prune -exec rm -rf {} +

# --- helpers -------------------------------------------------------------------------------------------------

# An option is passed on only where its variable is set.
flag = $(if $($(1)),--$(2) "$($(1))")

# The addresses of registries stay out of the lock files: they are the business of the machine that installs.
compile = CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/pip-compile --quiet $(if $(UPGRADE),--upgrade) $(2) \
	--generate-hashes --allow-unsafe --strip-extras --no-emit-options --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links --output-file=requirements/$(1).txt pyproject.toml

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "Crossdock needs Python 3.11 or newer; '$(PYTHON)' is older or missing." >&2; \
	echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }

$(STAMP): | python
	@echo "== preparing $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-*
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
