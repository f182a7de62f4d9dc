# SelfPose3d: what a user types. `make` alone prints the list.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,\
            $(if $(shell command -v $(name)),$(name))))
VENV ?= .venv
CORES ?= all
# Passed on to pip. PyPI's torch for Linux brings CUDA along (several GB); for the small CPU build:
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_ARGS ?=

# Passed on to benchmarks/gpu.py: make gpu GPU_ARGS="--minutes 5.5"
GPU_ARGS ?=

# MLflow's list of runs, in the saved view that shows the headline metrics.
RUNS := http://127.0.0.1:5000/\#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=headline

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := true

.DEFAULT_GOAL := help
.PHONY: help demo smoke test gpu lint format mlflow settle lock clean
.DELETE_ON_ERROR:

help: ## this list
	@grep -E '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: $(INSTALLED) ## set up, then run the whole pipeline (about 20 minutes on 2 cores)
	$(BIN)/snakemake --cores $(CORES)

smoke: $(INSTALLED) ## the same at its smallest (about 3 minutes); no figure in it means anything
	$(BIN)/snakemake --cores $(CORES) --configfile config/smoke.yaml

test: $(INSTALLED_DEV) ## set up, then run all tests, files side by side
	PATH="$(abspath $(BIN)):$$PATH" OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

gpu: ## on a machine with an NVIDIA card and torch: what it does and costs there (8 minutes)
	PYTHONPATH=src:tests:benchmarks $(PYTHON) benchmarks/gpu.py --out results/gpu $(GPU_ARGS)

lint: $(INSTALLED_DEV) ## formats, lints and types, as pre-commit runs them
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pre-commit run --all-files
	$(BIN)/snakemake --lint

format: $(INSTALLED_DEV) ## put everything into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

mlflow: $(INSTALLED) ## compare the runs in MLflow's pages on this machine
	@echo "Open this page, tick runs, press Compare:"
	@echo "$(RUNS)"
	$(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --workers 1 \
	  --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}"

settle: $(INSTALLED) ## after 'dvc pull': tell Snakemake that what was pulled is up to date
	$(BIN)/snakemake --cores 1 --touch

lock: ## refresh constraints.txt: newest versions that pyproject.toml allows, in a fresh venv
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet $(PIP_ARGS) -e '.[dev]'
	$(VENV)-lock/bin/pip install --quiet $(PIP_ARGS) --no-deps rtmlib torchvision
	$(VENV)-lock/bin/pip freeze --exclude-editable --exclude setuptools \
	  | sed 's/+cpu$$//' > constraints.txt
	rm -rf $(VENV)-lock

clean: ## remove what the pipeline wrote (results, data); keeps the environment and downloads
	rm -rf .snakemake
	find results -mindepth 1 -maxdepth 1 ! -name reference ! -name .gitkeep -exec rm -rf {} +
	[ ! -d data ] || find data -mindepth 1 -maxdepth 1 ! -name weights ! -name cache -exec rm -rf {} +

$(BIN)/python:
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed and was not found. Install it, or name it:" \
	         "make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e .
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[dev]'
	$(PIP_INSTALL) --no-deps rtmlib
	@touch $(INSTALLED) $@
