# make demo      run all steps of PoseAug on synthetic people
# make test      run all tests
# make install   make the virtual environment, which the other two also do
# make clean     delete the virtual environment and the demo
# PYTHON=python3.12 chooses the interpreter, VENV=DIR the folder of the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# The version of torch that is installed if there is none; PyPI's build for Linux supports CUDA.
TORCH := torch==2.13.0

.PHONY: demo test install clean

demo: $(VENV)/.installed
	$(BIN)/python run_demo.py

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest tests

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
