# Every target does its own set-up: a fresh machine needs Python 3.11 or later, and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
WORKERS ?= 2
RUN := OMP_NUM_THREADS=1 $(VENV)/bin/
STAMP := $(VENV)/installed

.DEFAULT_GOAL := test
.PHONY: test lint demo bench docs dist install clean

test: lint
	$(RUN)python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term

lint: $(STAMP)
	$(RUN)ruff check
	$(RUN)ruff format --check
	$(RUN)mypy
	$(RUN)lint-imports

demo: $(STAMP)
	$(RUN)python examples/fashion_mnist_mlp.py

bench: $(STAMP)
	set -e; for script in benchmarks/bench_*.py; do $(RUN)python $$script; done

# Nothing is fetched but the packages of the extra.
docs: $(VENV)/docs
	MPLBACKEND=agg $(RUN)python -m sphinx -W --keep-going -n -b html docs docs/_build/html

# Wheel and sdist; the wheel in an environment that has nothing else, the sdist's own tests.
dist: $(VENV)/dist
	rm -rf build dist
	$(VENV)/bin/python -m build --quiet
	$(VENV)/bin/python -m twine check --strict dist/*
	$(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet dist/*.whl
	cd build && empty/bin/python -I ../tests/dist/smoke.py
	cd build && $(abspath $(VENV))/bin/mypy --strict --cache-dir=mypy --python-executable empty/bin/python \
		--config-file= ../tests/dist/user.py
	mkdir build/sdist && tar -xzf dist/*.tar.gz -C build/sdist --strip-components=1
	cd build/sdist && $(abspath $(VENV))/bin/python -m pytest -q --collect-only > collected
	tail -n 1 build/sdist/collected
	cd build/sdist && OMP_NUM_THREADS=1 $(abspath $(VENV))/bin/python -m pytest -q \
		tests/docs/test_reference.py tests/docs/test_figures.py tests/schedulers tests/test_walls.py

install: $(STAMP)

$(VENV)/docs: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/dist: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet build twine
	touch $@

# torch first and alone: asked for together with skorch, or as a range, pip may take a CUDA
# build of several GB.
$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet torch==2.13.0
	$(VENV)/bin/python -m pip install --quiet --editable '.[torch,plot,dask,ray,test]'
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build docs/generated *.egg-info .coverage .coverage.* .hypothesis \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
