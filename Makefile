# make report: set up, run the main job, write results/validation_report.html
# make benchmark: every experiment, results/benchmark_report.html
# make jlce: sixteen Japanese tasks, results/jlce.html
# make test:   the default tests
SHELL := /bin/bash
PYTHON ?= python3.11
PIP := .venv/bin/python -m pip --disable-pip-version-check
SNAKEMAKE := .venv/bin/snakemake --profile local
# One `make` run at a time; a lock that a killed one left behind is cleared.
RUN = flock --nonblock --close --conflict-exit-code 75 .venv/run.lock bash -c '\
	[ -z "$$(ls -A .snakemake/locks 2>/dev/null)" ] || $(SNAKEMAKE) --unlock --quiet all; \
	$(SNAKEMAKE) $(1)' \
	|| { code=$$?; [ $$code -ne 75 ] || echo "another run is active in this folder; wait for it" >&2; exit $$code; }

.PHONY: report benchmark jlce verify test test-all lint config clean

report: .venv/installed
	@$(call RUN,--quiet rules)
	@echo "report: results/validation_report.html"

benchmark: .venv/installed
	@$(call RUN,benchmark --quiet rules)
	@echo "report: results/benchmark_report.html"

jlce: .venv/installed
	@$(call RUN,jlce --quiet rules)
	@echo "page: results/jlce.html"

verify: .venv/installed
	@$(SNAKEMAKE) verify --quiet all

test: .venv/installed
	.venv/bin/python -m pytest

test-all: .venv/installed
	.venv/bin/python -m pytest -m "slow or slurm or browser or gpu"

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile rules
	.venv/bin/snakemake --lint

config: .venv/installed
	PYTHONPATH=workflow .venv/bin/python -m kensho.config

.venv/installed: requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it or give PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --requirement requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf results logs .snakemake
