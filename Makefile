# make demo        the whole of PoseAug on synthetic people, in a virtual environment of its own
# make test        the whole suite, on two cores
# make test-fast   what is quick of it, in less than a minute: every room, the golden numbers, a run of each trainer
# make lint        ruff, as pyproject.toml configures it
# make coverage    the whole suite in one process, and which lines and branches it misses
# PYTHON=python3.12 chooses the interpreter, VENV=DIR the environment's place, WORKERS=8 how many processes test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# One thread for each worker: more would wait for each other. A file's tests stay together, since they share fixtures.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS) --dist loadfile

# The version of torch that is installed if there is none; PyPI's build for Linux supports CUDA.
TORCH := torch==2.13.0

.PHONY: demo test test-fast lint coverage install clean

demo: $(VENV)/.installed
	$(BIN)/python run_demo.py

test: $(VENV)/.installed-test
	$(PYTEST) tests $(PARALLEL)

test-fast: $(VENV)/.installed-test
	$(PYTEST) tests $(PARALLEL) -m 'not slow'

lint: $(VENV)/.installed-test
	$(BIN)/python -m ruff check .

coverage: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest tests
	$(BIN)/python -m coverage report

install: $(VENV)/.installed

# If $(PYTHON) already has a suitable torch (for example a cluster's CUDA build), the environment uses it.
$(VENV)/bin/python:
	@if $(PYTHON) -c 'import torch; v = tuple(map(int, torch.__version__.split(".")[:2])); exit(not (2, 11) <= v <= (2, 13))' 2>/dev/null; \
	then $(PYTHON) -m venv --system-site-packages $(VENV); \
	else $(PYTHON) -m venv $(VENV); fi

$(VENV)/.installed: requirements.txt $(VENV)/bin/python
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.installed-test: requirements-test.txt requirements-export.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -r requirements-test.txt
	@touch $@

clean:
	rm -rf $(VENV) demo
