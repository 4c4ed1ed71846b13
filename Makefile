# Every target does its own set-up: a fresh machine needs Python 3.11 or later, and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
WORKERS ?= 2
RUN := OMP_NUM_THREADS=1 $(VENV)/bin/
STAMP := $(VENV)/installed

.DEFAULT_GOAL := test
.PHONY: test lint demo bench install clean

test: lint
	$(RUN)python -m pytest -n $(WORKERS) --cov --cov-report=term

lint: $(STAMP)
	$(RUN)ruff check
	$(RUN)ruff format --check
	$(RUN)mypy
	$(RUN)lint-imports

demo: $(STAMP)
	$(RUN)python examples/fashion_mnist_mlp.py

bench: $(STAMP)
	set -e; for script in benchmarks/bench_*.py; do $(RUN)python $$script; done

install: $(STAMP)

# torch first and alone: asked for together with skorch, or as a range, pip may take a CUDA
# build of several GB.
$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet torch==2.13.0
	$(VENV)/bin/python -m pip install --quiet --editable '.[torch,plot,dask,ray,test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* .hypothesis \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
