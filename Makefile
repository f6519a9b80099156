.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo console local test pulumi engine soak bench bench-quick lint changes docs format lock clean

PYTHON ?= python3
BIN := .venv/bin
# Each worker starts its own embedded AWS, so there are only a few workers, and each module runs in one of them.
PARALLEL := -n auto --maxprocesses 4 --max-worker-restart 0 --dist loadscope
# Playwright switches between stacks in C. Its tests have processes of their own, so that nothing else depends on it.
BROWSER := tests/console/page tests/console/test_other_sites.py tests/local/test_console_page.py
INSTALLED := .venv/.installed

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Set up .venv from the hashed lists (the other commands do this when they need it)

$(INSTALLED): requirements-dev.txt requirements-uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Bill-E needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Choose another one: make PYTHON=python3.13 …")'
	@echo "setting up .venv: first uv, then the packages in requirements-dev.txt (with pip if uv isn't available)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt || true
	@if [ -x $(BIN)/uv ] && VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.txt; then \
	  VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-build-isolation --no-deps --editable .; \
	else \
	  $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt && \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .; \
	fi
	@touch $@

demo: $(INSTALLED) ## Deploy to the embedded AWS, upload samples/, print the ledger
	$(BIN)/python -m local demo

console: $(INSTALLED) ## Deploy to the embedded AWS, upload a few hundred receipts, show the ledger in a browser
	@$(BIN)/python -m local console

local: $(INSTALLED) ## Deploy to the embedded AWS and keep it running until Ctrl-C
	@$(BIN)/python -m local up --outputs .local/outputs.json

test: $(INSTALLED) ## Run all tests except those that need the Pulumi engine
	$(BIN)/pytest $(PARALLEL) --ignore tests/engine $(addprefix --ignore ,$(BROWSER))
	$(BIN)/pytest $(PARALLEL) $(BROWSER)

pulumi: $(INSTALLED) ## Build the Pulumi CLI and the other Go tools that the tests need, unless they are installed
	@$(BIN)/python -m local.engine.tools

engine: pulumi ## Run the tests that need the Pulumi engine
	BILL_E_ENGINE=required $(BIN)/pytest $(PARALLEL) tests/engine

soak: $(INSTALLED) ## Upload 3,000 files to the embedded AWS, with faults and redeliveries, then reconcile
	$(BIN)/python -m local soak

bench: $(INSTALLED) ## Measure Bill-E against the baselines, and write docs/benchmarks.md
	$(BIN)/python -m bench

bench-quick: $(INSTALLED) ## Check that the counts of calls and units are exactly as expected
	$(BIN)/python -m bench --quick

lint: $(INSTALLED) ## Check style (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

changes: pulumi ## Write docs/changes.md: what the Pulumi engine plans for each change of a setting
	$(BIN)/python -m tests.engine.changes

docs: $(INSTALLED) ## Write the files that are generated from the code: settings, schema, OpenAPI, policies, docs/security.md
	$(BIN)/python -m generator
	$(BIN)/python -m tests.security.document

format: $(INSTALLED) ## Fix the style of the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Resolve the dependencies again and write the hashed lists
	$(PYTHON) -m venv .build/lock
	.build/lock/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	for list in "functions/requirements.in -o functions/requirements.txt" \
	            "pyproject.toml --extra dev -c functions/requirements.txt -o requirements-dev.txt" \
	            "pyproject.toml -c requirements-dev.txt -o requirements.txt"; do \
	  .build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header $$list || exit 1; \
	done

clean: ## Remove everything that these commands created
	rm -rf .venv .build .local .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
