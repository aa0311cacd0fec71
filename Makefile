# Everything a newcomer needs. Python 3.11 or newer, git and make are enough to begin with.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

PROCESSES := tests/edge tests/faults tests/browser

.PHONY: run test torture lint bench check docs screenshots clean

run: .venv/run ## everything on this machine, with the sample story (ONCE=1: end after it)
	$(BIN)/adapter run $(if $(PORT),--port $(PORT)) $(if $(filter-out 0,$(ONCE)),--once)

test: .venv/dev .venv/browser lint check ## every check and test that CI runs
	@# Those of whole processes wait more than they work, so they run beside all others.
	@beside=$$(mktemp); \
	$(BIN)/python -m pytest -p no:cacheprovider $(PROCESSES) > $$beside 2>&1 & pid=$$!; \
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PROCESSES:%=--ignore %); status=$$?; \
	echo "whole processes: $(PROCESSES)"; wait $$pid || status=1; \
	cat $$beside; rm -f $$beside; exit $$status

torture: .venv/dev ## the storms of tests/faults with thousands of deliveries each (TORTURE_SEED=1)
	TORTURE=1 $(BIN)/python -m pytest -s tests/faults/test_storms.py tests/faults/test_full.py

lint: .venv/dev ## style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: .venv/run ## the mapping files and the tests inside them
	$(BIN)/adapter check

bench: .venv/dev ## how fast it is on this machine, beside a floor and a naive receiver
	$(BIN)/python -m bench $(BENCH)

docs: .venv/run ## the generated pages, and what editors need
	MAPPINGS_DIR=mappings $(BIN)/adapter schema --markdown > docs/.new && mv docs/.new docs/events.md
	$(BIN)/adapter filters --markdown > docs/.new && mv docs/.new docs/filters.md
	for kind in alerts contract mapping names rules topics; do \
	  MAPPINGS_DIR=mappings $(BIN)/adapter schema --editor $$kind > docs/.new \
	  && mv docs/.new mappings/editor/$$kind.schema.json || exit 1; done

screenshots: .venv/browser ## docs/console/*.png, of the console with a story in it
	PYTHONPATH=tests $(BIN)/python -m tests.browser.shots

clean: ## what was installed and kept here
	rm -rf .venv .adapter

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make run PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python pyproject.toml
	@echo "installing into .venv ..."
	$(PIP) --editable .
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml
	@echo "installing into .venv ..."
	$(PIP) --editable '.[dev]'
	@touch $@ .venv/run

.venv/browser: .venv/dev tests/browser/chromium.py
	@test "$(NO_BROWSER)" = 1 || { $(BIN)/python -m tests.browser.chromium && touch $@; }
