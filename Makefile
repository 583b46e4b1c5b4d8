# Two commands matter: `make run` and `make test`. Both need only Python 3.11+ and make.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

SOAK_ENV := $(if $(LONG),ALLOCATOR_CRASH_SEEDS=5000 ALLOCATOR_KILLS=1000 ALLOCATOR_CORRIDORS=5000,)

.DEFAULT_GOAL := help
.PHONY: help run dashboard test check format explanations configuration contract controls doctor soak clean-soak mutants \
	bench wheel lock clean

help: ## Tell what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: .venv/run ## Run the whole line once on the bundled loopback exchanges
	@$(BIN)/allocator demo

test: .venv/test ## Run the test suite
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

check: .venv/test ## Format, lint, types and import directions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports

format: .venv/test ## Put the code in form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

dashboard: .venv/test ## Run the service on the loopback exchanges, with its dashboard
	@$(BIN)/allocator demo --serve

explanations: .venv/run ## Write docs/explanations.md anew
	@PYTHONPATH=. $(BIN)/python docs/write_explanations.py

contract: .venv/test ## Run the contract suite and write docs/contract.md anew
	@PYTHONPATH=. $(BIN)/python docs/write_contract.py

doctor: .venv/test ## Write docs/doctor.md anew
	@PYTHONPATH=. $(BIN)/python docs/write_doctor.py

configuration: .venv/run ## Write docs/configuration.md anew
	@PYTHONPATH=. $(BIN)/python docs/write_configuration.py

controls: .venv/run ## Write docs/controls.md anew
	@PYTHONPATH=. $(BIN)/python docs/write_controls.py

soak: .venv/test ## Run the long suites; stopped, it goes on where it was until `make clean-soak`
	@$(SOAK_ENV) ALLOCATOR_SOAK=var/soak/passed $(BIN)/python -m pytest -q -n 2 -m soak; \
		status=$$?; test $$status -eq 0 -o $$status -eq 5
	@ALLOCATOR_KILLS=20 $(BIN)/python -m pytest -q tests/service/test_demo.py
	@ALLOCATOR_MACHINE=500x100 $(BIN)/python -m pytest -q tests/execution/test_machine.py
	@$(MAKE) --no-print-directory mutants

mutants: .venv/test ## Measure how many seeded faults the tests of verifier and state machine notice
	@PYTHONPATH=. $(BIN)/python -m bench.mutants allocator/execution/transitions.py \
		--tests tests/execution/test_transitions.py
	@PYTHONPATH=. $(BIN)/python -m bench.mutants allocator/verify --sample 200 --tests tests/verify

bench: .venv-bench/done ## Measure, against other solvers and libraries too; writes docs/benchmarks.md
	@OMP_NUM_THREADS=1 .venv-bench/bin/python -m bench

wheel: .venv/test ## Build the wheel
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: ## Resolve the dependencies anew, with hashes (needs uv on the PATH)
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--python-version 3.11 pyproject.toml --extra exchanges --group install \
		-o requirements/run.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--python-version 3.11 pyproject.toml --extra exchanges --extra postgres --extra service \
		--extra sweeps --extra dask \
		--group install --group test -c requirements/run.txt -o requirements/test.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--python-version 3.11 pyproject.toml --group install --group bench \
		-c requirements/run.txt -o requirements/bench.txt

clean-soak: ## Forget which soaks have passed
	rm -rf var/soak

clean: ## Remove what was built, the environment and the demo's state
	rm -rf .venv .venv-bench build dist *.egg-info var .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found"; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/run: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "installing the locked dependencies into .venv" >&2
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/test: requirements/test.txt .venv/run
	@echo "installing the locked test dependencies into .venv" >&2
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

.venv-bench/done: requirements/bench.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found"; exit 2; }
	@echo "installing the locked peers into .venv-bench" >&2
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/bench.txt
	@.venv-bench/bin/python -m pip --disable-pip-version-check -q install --no-deps --no-build-isolation -e .
	@touch $@
