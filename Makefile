# The project's commands. Each needs only Python 3.11 or newer: uv is brought along when it is missing.

SHELL := /bin/sh
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# uv would take another Python than the one that was named, if it finds one first.
INTERPRETER := $(if $(filter-out file,$(origin PYTHON)),--python $(PYTHON),$(if $(filter .uv/%,$(UV)),--python .uv/bin/python))
RUN := $(UV) run --frozen --no-sync
# auto: as many as tests/support/worker_count.py says.
WORKERS ?= auto
BASE ?= main
TEST := $(RUN) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not soak and not bench and not live and not stack'
export KOGGE_REQUIRE_SERVICES ?=
# Images of Python set it; every process of the tests would then compile Prefect and all else anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo servers test test-changed test-newest check docs screenshots bench soak stack live rehearsal sbom clean

help: ## lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/image/uv.txt

.venv/.synced: pyproject.toml uv.lock | $(UV)
	UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 $(UV) sync $(INTERPRETER) --frozen --quiet --extra practice
	@touch $@

# A uv on the PATH is no file of ours: nothing to make.
ifneq ($(UV),.uv/bin/uv)
$(UV): ;
endif

# Everything is compiled once: where PYTHONDONTWRITEBYTECODE is set, each command would do it again, for a second.
install: .venv/.synced ## makes the project's own environment in .venv
	@$(RUN) python -m compileall -q connectors engine evidence flows kogge ledger mappings model practice reports

demo: install ## ten practice people move, from Exchange and Microsoft 365 (ARGS=--hold keeps Prefect)
	$(RUN) python -m practice.demo $(ARGS)

servers:
	@if [ -f /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then sh .ci/services; fi

test: install servers ## runs the tests; on Debian as root it installs the servers they need first
	$(TEST) $(ARGS)

test-changed: install servers ## runs the tests that can fail by what changed since this branch left another one (BASE=main)
	@chosen=$$($(RUN) python -m handbook.affected_tests $(BASE)) || exit; \
	  echo "$$chosen" | wc -l | xargs -I COUNT echo "files of tests that the change can affect: COUNT"; \
	  $(TEST) $(ARGS) $$chosen

NEWEST := 3.13
test-newest: install servers ## runs fast tests with the newest Python that is supported, where it is installed
	@newest=$$(UV_PYTHON_DOWNLOADS=never $(UV) python find --no-project $(NEWEST) 2>/dev/null) || \
	  { echo "Python $(NEWEST) is not installed: not tried"; exit 0; }; \
	  UV_PROJECT_ENVIRONMENT=build/newest $(UV) sync --python "$$newest" --frozen --quiet --extra practice && \
	  build/newest/bin/python -m pytest -q -n $(WORKERS) -m 'not soak' $(ARGS) tests/model tests/mappings tests/evidence/test_pack.py

check: install ## ruff and mypy --strict
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

docs: install ## builds the documentation's site to build/site, without the network
	$(RUN) python -m handbook $(ARGS)
	@echo "open build/site/index.html"

screenshots: install ## takes the documentation's pictures from a practice world (ARGS=SCENE: only that one)
	$(RUN) python -m practice.screenshots $(ARGS)

bench: install ## measures against a bare loop and mbsync; writes build/bench.json
	$(RUN) pytest -m bench -s tests/bench $(ARGS)

soak: install ## runs the wide tests long, and against Dovecot
	$(RUN) pytest -m soak -n $(WORKERS) --timeout 7200 $(ARGS)

stack: install ## the containers of docker-compose.yml on a Docker host (ARGS="-k ...": only some of it)
	@$(RUN) pytest -m stack -s -q --timeout 3600 tests/stack $(ARGS)

SIZE ?= whole
rehearsal: install ## 40,000 practice mailboxes while all is killed; goes on where it was (SIZE=ci: 500)
	PYTHONPATH=tests:tests/support $(RUN) python -m rehearsal.run --size $(SIZE) $(ARGS)

live: install ## tests against real servers whose addresses the environment gives
	$(RUN) pytest -m live tests/live $(ARGS)

PRODUCTION := --no-dev --group stack
sbom: | $(UV) ## what the image contains, and under which licences: build/sbom.cdx.json, build/licences.txt
	@UV_PROJECT_ENVIRONMENT=build/production UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --quiet $(PRODUCTION)
	@PATH="$$PWD/.uv/bin:$$PATH" build/production/bin/python deploy/image/bill_of_materials.py build $(PRODUCTION)
	@echo "written: build/sbom.cdx.json, build/licences.txt"

clean: ## removes what these commands made, but no migration's state
	rm -rf .uv .venv build demo-state .mypy_cache .pytest_cache .ruff_cache .hypothesis
