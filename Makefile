# Two commands on a fresh machine: `make run` and `make test`. Each installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

DATASET ?= synthetic
ENTITY ?=
DATA_DIR ?= data
OUTPUT ?= runs/$(DATASET)$(if $(ENTITY),-$(ENTITY))
ARGS ?=

.PHONY: help run test test-slow lint format install clean

help:
	@echo "make run                          train, score and report on the built-in synthetic data"
	@echo "make run DATASET=smd ENTITY=machine-1-6 DATA_DIR=data   the same on real data"
	@echo "make run DATASET=own DATA_DIR=my-folder                 the same on your own CSV or Parquet"
	@echo "make test                         the fast test suite"
	@echo "make test-slow                     what takes minutes: several processes, notebooks, scripts"
	@echo "make lint                         ruff, linter and formatter"
	@echo "make format                       let ruff mend what it can"

run: $(VENV)/.installed
	$(BIN)/python -m tsad_keras reproduce $(DATASET) $(if $(ENTITY),--entity $(ENTITY)) \
		--data-dir "$(DATA_DIR)" --output "$(OUTPUT)" $(ARGS)

test: $(VENV)/.installed-dev
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-slow: $(VENV)/.installed-dev
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m pytest -n 2 --dist loadfile -m slow $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
