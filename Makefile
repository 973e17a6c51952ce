# Every target makes its own virtual environment in .venv, once. PYTHON=/path/to/python chooses the interpreter.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := .ci/constraints.txt
SETUP := pyproject.toml $(CONSTRAINTS) .ci/repair_torchvision.py .ci/torchvision_cpu.py
ARGS ?=
DEVICE ?= cpu
MEASURED ?= runs/bench
# The slow tests run under CI=true only. ARGS is handed on: make test ARGS="-m slow tests/io", make demo ARGS="seed=1".
ifeq ($(CI),true)
SELECT :=
else
SELECT := -m "not slow"
endif

.PHONY: help setup dev demo sweep baselines benchmark bench test lint zoo clean

help:  ## Show this list
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## Install giftune into .venv (about 3 minutes and 2 GB, once)

dev: $(VENV)/.installed-dev  ## The same, with the test and lint tools

demo: setup  ## Tune the embedded model on the embedded clip, edit it, and say where the results are (no network, no GPU)
	@$(BIN)/giftune tune $(ARGS)

sweep: setup  ## The whole ablation on the embedded model, then its report (about an hour on two cores; resumes)
	@$(BIN)/giftune tune sweeps=ablation $(ARGS) && failed=0 || failed=$$?; \
	$(BIN)/giftune report runs/ablation && exit $$failed

baselines: setup  ## The comparison with methods that learn nothing, and its report (resumes)
	@$(BIN)/giftune tune sweeps=baselines $(ARGS) && failed=0 || failed=$$?; \
	$(BIN)/giftune report runs/baselines && exit $$failed

benchmark: setup  ## Six methods on the 42 clips and 140 edits of EmojiDAVIS-42, and the tables (hours; resumes)
	@$(BIN)/giftune benchmark hydra/launcher=joblib hydra.launcher.n_jobs=-1 $(ARGS) && failed=0 || failed=$$?; \
	$(BIN)/giftune report runs/benchmark-emojidavis42 reference=giftune && exit $$failed

bench: setup  ## Speed and memory against a reference recipe, in runs/bench (an hour and a half; DEVICE=cuda: 8 minutes)
	@mkdir -p $(MEASURED)
ifeq ($(DEVICE),cuda)
	$(BIN)/python benchmarks/speed.py --work $(MEASURED) --out $(MEASURED)/speed_gpu --device cuda --frames 24 --size 512 \
	    --steps 5 --repeats 1 $(ARGS)
else
	$(BIN)/python benchmarks/speed.py --work $(MEASURED) --out $(MEASURED)/speed_cpu $(ARGS)
	$(BIN)/python benchmarks/speed.py --model emojiworld --frames 8 --size 64 --steps 20 --profile \
	    --out $(MEASURED)/speed_emojiworld
	$(BIN)/python benchmarks/long_clips.py --work $(MEASURED) --out $(MEASURED)/long_clips
	$(BIN)/python benchmarks/precision.py --out $(MEASURED)/precision
	$(BIN)/python benchmarks/few_steps.py --out $(MEASURED)/few_steps
endif

test: dev  ## Lint, check types and test (under CI=true the slow tests too)
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(SELECT) $(ARGS)

lint: dev  ## Lint and check types only
	@$(BIN)/ruff check .
	@$(BIN)/mypy

zoo: setup  ## Train the embedded models again from a seed (hours on a CPU)
	$(BIN)/python -m giftune.emojiworld.pretrain $(ARGS)

clean:  ## Remove .venv, caches and build products; runs/ stays
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: $(SETUP) | $(BIN)/python
	$(BIN)/python -m pip install --constraint $(CONSTRAINTS) --editable .
	$(BIN)/python .ci/repair_torchvision.py
	@touch $@

$(VENV)/.installed-dev: $(SETUP) | $(BIN)/python
	$(BIN)/python -m pip install --constraint $(CONSTRAINTS) --editable ".[dev]"
	$(BIN)/python .ci/repair_torchvision.py
	@touch $(VENV)/.installed $@

$(BIN)/python:
	@for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$("$$python" --version)"; \
	        exec "$$python" -m venv --clear $(VENV); \
	    fi; \
	done; \
	echo "giftune needs Python 3.11 or newer; none was found. Install one, or say: make PYTHON=/path/to/python" >&2; \
	exit 1
