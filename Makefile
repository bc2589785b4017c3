# make demo    the whole of PoseAug on synthetic people, in a virtual environment of its own
# make test    the whole suite
# PYTHON=python3.12 chooses the interpreter, VENV=DIR the environment's place.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# The torch that is installed where there is none yet: on a machine with a GPU this is PyPI's CUDA build.
TORCH := torch==2.13.0

.PHONY: demo test install clean

demo: $(VENV)/.installed
	$(BIN)/python run_demo.py

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest tests

install: $(VENV)/.installed

# A torch that $(PYTHON) already has (a cluster's own CUDA build, say) is used as it is.
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
