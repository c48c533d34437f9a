# make report: set up, run the main job, write results/validation_report.html
# make benchmark: every experiment, results/benchmark_report.html
# make own: claims on tables that you bring, results/own_report.html
# make jlce: sixteen Japanese tasks, results/jlce.html
# make why:    what would run now, and because of what (TARGET=benchmark for another target)
# make test:   the default tests
# make test-all: all others, and the calibration
SHELL := /bin/bash
PYTHON ?= python3.11
PIP := .venv/bin/python -m pip --disable-pip-version-check
SNAKEMAKE := .venv/bin/snakemake --profile local

.PHONY: report benchmark own jlce why verify test test-all lint config clean

report: .venv/installed
	@$(SNAKEMAKE) --quiet rules
	@echo "report: results/validation_report.html"

benchmark: .venv/installed
	@$(SNAKEMAKE) benchmark --quiet rules
	@echo "report: results/benchmark_report.html"

own: .venv/installed
	@$(SNAKEMAKE) own --quiet rules
	@echo "report: results/own_report.html"

jlce: .venv/installed
	@$(SNAKEMAKE) jlce --quiet rules
	@echo "page: results/jlce.html"

why: .venv/installed
	@.venv/bin/python workflow/scripts/why.py $(TARGET)

verify: .venv/installed
	@$(SNAKEMAKE) verify --quiet rules

test: .venv/installed
	.venv/bin/python -m pytest

test-all: .venv/installed
	.venv/bin/python -m pytest -m "slow or slurm or browser or whole or gpu"
	@$(SNAKEMAKE) calibration --quiet rules

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile rules
	.venv/bin/snakemake --lint

config: .venv/installed
	PYTHONPATH=workflow .venv/bin/python -m kensho.config

.venv/installed: requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it or give PYTHON=..." >&2; exit 1; }
	@$(PYTHON) workflow/kensho/place.py
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --requirement requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf results logs .snakemake
