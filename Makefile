# Everything a person types. `make help` lists it; contract.md says what each promises.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
# The newest Python that is there; a name given by hand wins: make run PYTHON=python3.12
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
# A stamp is named after the pins it was made from, so a changed pin installs again and nothing else does.
RUN_STAMP := $(VENV)/.installed-$(shell cat requirements.txt constraints.txt | cksum | tr ' ' -)
DEV_STAMP := $(VENV)/.installed-dev-$(shell cat requirements.txt requirements-dev.txt constraints.txt | cksum | tr ' ' -)

.PHONY: run serve demo gallery screens migrate test test-security check lint bench help clean venv venv-dev test-setup interface

help: ## list these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## install, migrate, build what changed, and serve at http://localhost:8000
	@exec $(PY) -m mailcrm serve

demo: $(RUN_STAMP) ## the same, with a demo workspace (its own data folder: data/demo)
	@exec $(PY) -m mailcrm demo

gallery: $(RUN_STAMP) ## the demo with /gallery, every component with its states (docs/design-guide.md)
	@exec env MAILCRM_GALLERY=1 $(PY) -m mailcrm demo

screens: $(DEV_STAMP) ## pictures of every screen on contact sheets, in test-results/contact-sheet; some: make screens NAMES="inbox deal"
	@$(PY) -m tests.tools.contact_sheet $(NAMES)

migrate: $(RUN_STAMP) ## bring the database to this version
	@$(PY) -m mailcrm migrate

test: $(DEV_STAMP) ## unit, integration and browser tests, with the set-up they need
	@tests/run all

test-security: $(DEV_STAMP) ## every threat with the figure that proves it is met, measured; some: make test-security THREATS="1 6"
	@tests/run security $(THREATS)

lint: $(DEV_STAMP) ## lint, format, types, import contracts
	@tests/run lint

check: $(DEV_STAMP) ## lint, format, types, import contracts, unit tests: under two minutes
	@tests/run check

bench: $(DEV_STAMP) ## every bar of sync beside its peers, and of the CRM; some parts: make bench PARTS="first large"
	@$(PY) -m tests.bench $(PARTS)

interface: $(RUN_STAMP)
	@$(PY) -m mailcrm.build

venv: $(RUN_STAMP)
venv-dev: $(DEV_STAMP)

clean: ## remove what can be made again: the virtual environment and the built interface
	rm -rf $(VENV) .web

$(PY):
	@if [ -z "$(PYTHON)" ]; then echo "mailcrm needs Python 3.11 or newer; none was found. Install it and try again." >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) can't make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): | $(PY)
	@echo "Installing requirements (a minute or two the first time) …"
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements.txt -c constraints.txt
	@rm -f $(VENV)/.installed-[0-9]* && touch $@

$(DEV_STAMP): | $(PY)
	@echo "Installing requirements and the tools for tests …"
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements.txt -r requirements-dev.txt -c constraints.txt
	@rm -f $(VENV)/.installed-* && touch $@ $(RUN_STAMP)
