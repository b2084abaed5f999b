# `make run` and `make test` are all a newcomer needs; both work in a fresh clone on Debian/Ubuntu with python3.11+.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
ARGS   ?=

.PHONY: test-slow audit install uninstall test-systemd run test demo lint format lock clean evaluate check

run: $(VENV)/.runtime  ## install and start the daemon on the shipped catalogue
	$(BIN)/aggregator run $(ARGS)

demo: $(VENV)/.runtime  ## no internet needed: bundled sample feeds, the real daemon, the stories it finds
	$(BIN)/aggregator demo $(ARGS)

test: $(VENV)/.dev  ## install what the tests need and run them all
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(VENV)/.dev  ## the tests that take minutes: fifty kills, networks that come and go
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install -y python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no virtual environment: apt-get install -y python3-venv"; exit 1; }

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) (once; about a minute, 91 MB of it the language model)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing what the tests need into $(VENV) (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/.runtime

lock:  ## write requirements/*.txt again from pyproject.toml (needs uv: pipx install uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra embed --extra web --extra metrics pyproject.toml -o requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra embed --extra parquet --extra web --extra metrics --group dev pyproject.toml -o requirements/dev.txt

audit:  ## ask PyPI's advisories about every pinned version (needs network beyond the package index)
	$(PYTHON) -m venv build/audit
	build/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	build/audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements/runtime.txt

install:  ## as root: put the program, /etc/aggregator and the units in place, or a newer version in the place of an older
	$(if $(filter-out python3,$(PYTHON)),PYTHON=$(PYTHON)) systemd/install.sh

uninstall:  ## as root: take program and units away; data and configuration stay
	systemd/uninstall.sh

test-systemd:  ## as root: install in a throw-away copy of this machine, boot it, and mistreat the unit (about two minutes)
	systemd/test.sh

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
