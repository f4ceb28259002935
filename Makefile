# Everything a developer does, from a fresh clone, with nothing but Python 3.11+ and make.
# What each target needs is made once and again only when its source has changed.

VENV := .venv
PY := $(VENV)/bin/python
MANAGE := $(PY) manage.py
DONE := var/done
# The first Python that is new enough; override with: make PYTHON=/path/to/python3
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
# The system's npm, or the one that came with the Python packages.
NPM = $(shell command -v npm || echo "env PATH=$(CURDIR)/$(VENV)/bin:$$PATH npm")

STATIC_SOURCES := $(shell find backend/*/static */static -type f -not -path "*/vendor/*" 2>/dev/null)
MESSAGES := $(wildcard backend/locale/*/LC_MESSAGES/*.po)
TEMPLATES := backend/web/templates $(wildcard */templates backend/accounts/templates)

.DEFAULT_GOAL := help
.PHONY: help install demo run worker test lint fmt bench coverage e2e lock messages screenshots clean

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

## What the targets need ---------------------------------------------------------------------------

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing. Install it:" \
	  "sudo apt-get install python3 python3-venv  |  sudo dnf install python3.12  |  brew install python@3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is missing. Install it: sudo apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.done: requirements-dev.txt | $(PY)
	@echo "Installing the Python packages (about a minute) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(PY) -c 'import weasyprint' 2>/dev/null || { echo "Pango is missing; the PDF documents need it. Install it:" \
	  "sudo apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0  |  sudo dnf install pango  |  brew install pango" \
	  >&2; exit 1; }
	@touch $@

node_modules/.done: package-lock.json package.json | $(VENV)/.done
	@echo "Installing the browser's packages …"
	@$(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(DONE)/vendor: node_modules/.done backend/web/management/commands/vendor.py | $(VENV)/.done
	@mkdir -p $(DONE)
	@$(MANAGE) vendor --verbosity 0
	@touch $@

$(DONE)/messages: $(MESSAGES) | $(VENV)/.done
	@mkdir -p $(DONE)
	@$(MANAGE) messages --compile
	@touch $@

$(DONE)/static: $(DONE)/vendor $(STATIC_SOURCES)
	@$(MANAGE) collectstatic --noinput --clear --verbosity 0
	@touch $@

install: $(VENV)/.done $(DONE)/vendor $(DONE)/messages $(DONE)/static  ## everything but data

## Running -----------------------------------------------------------------------------------------

demo: install  ## a lively network to look at; RESET=1 begins anew, PORT=… chooses the port
	@exec $(MANAGE) demo $(if $(RESET),--reset)

run: install  ## the web server on PORT (8000), on the database of DATABASE_URL
	@$(MANAGE) prepare
	@exec $(MANAGE) serve

worker: install  ## what happens in the background: mail, expiry of holds
	@$(MANAGE) prepare
	@exec $(MANAGE) qcluster

## Quality -----------------------------------------------------------------------------------------

test: install  ## all tests: SQLite, PostgreSQL where there is one, a browser where there is one
	@exec $(PY) -m tests $(ARGS)

coverage: install  ## lines and branches that no test runs; fails below the floor
	@exec $(PY) -m pytest -q -m "not e2e and not parallel" -n 2 --dist loadfile -p tests.floor \
	  --cov --cov-report=term-missing:skip-covered $(ARGS)

e2e: install  ## only what drives a browser
	@exec $(PY) -m pytest -m e2e $(ARGS)

bench: install  ## times and query counts of the main pages, two sizes, both engines, as Markdown
	@exec $(PY) -m tests.bench $(ARGS)

screenshots: install  ## pictures of the pages to var/screenshots, 1280 and 390 px wide
	@exec $(PY) -m tests.e2e.screenshots $(ARGS)

lint: install  ## format, lint, types, migrations, templates, translations
	@$(PY) -m ruff format --check --quiet --output-format concise .
	@$(PY) -m ruff check --quiet --output-format concise .
	@$(PY) -m mypy --no-error-summary
	@$(MANAGE) makemigrations --check --dry-run --verbosity 0
	@$(PY) -m djlint --lint --quiet $(TEMPLATES)
	@$(MANAGE) messages --check

fmt: $(VENV)/.done  ## put the code into shape
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format --quiet .

messages: $(VENV)/.done  ## collect the texts to translate and compile the translations
	@$(MANAGE) messages

lock: $(PY)  ## work out requirements*.txt anew, with hashes
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --upgrade requirements.in -o requirements.txt
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  --upgrade -c requirements.txt requirements-dev.in -o requirements-dev.txt

clean:  ## remove what make made; data under var/ stays
	@rm -rf $(VENV) node_modules $(DONE) var/static backend/web/static/vendor
