# `make` prints this help: every target with what stands behind its two hash signs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Tests start hundreds of processes, and each would compile all modules anew where none may be written.
unexport PYTHONDONTWRITEBYTECODE

# Ray listens on every interface whatever it is told, so it runs where there is none but loopback, if the machine allows.
LONELY := unshare --map-root-user --net --mount --pid --fork --mount-proc
# A folder of its own keeps it from looking for a cluster that died long ago; workers starve if they are nicer than others.
ALONE  := RAY_TMPDIR=$$(mktemp -d) RAY_worker_niceness=0 $(shell $(LONELY) ip link set lo up 2>/dev/null && echo "$(LONELY) sh -c 'ip link set lo up && exec \"\$$@\"' alone")

RAY_TESTS = $(ALONE) $(abspath $(BIN))/python -m pytest -m ray -p no:cacheprovider
MEMORY    := tests/runners/test_ray_memory.py
SEARCHES  := tests/runners/test_ray.py tests/runners/test_ray_nodes.py tests/journeys/test_cluster.py

.DEFAULT_GOAL := help

help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

install: $(READY) ## Make .venv in this checkout and install everything.

demo: $(READY) ## Set up everything, run a real search on embedded data, name the winner.
	$(BIN)/nas search --workers 2 --out results/demo

test: $(READY) ## Set up everything, run the tests.
	$(BIN)/python -m pytest -n auto

test-slow: $(READY) ## Run the tests that take minutes.
	$(BIN)/python -m pytest -m slow

test-ray: $(READY) ## Run the tests that start a real Ray, in networks of loopback alone.
	$(RAY_TESTS) $(MEMORY)
	$(MAKE) -j2 test-ray-searches test-ray-others

# Two halves beside each other: starting Ray keeps one core waiting. Memory comes alone, for it is the whole machine's.
test-ray-searches:
	$(RAY_TESTS) $(SEARCHES)

test-ray-others:
	$(RAY_TESTS) $(filter-out $(MEMORY) $(SEARCHES),$(shell grep -rl --include='test_*.py' 'mark\.ray' tests))

soak-ray: $(READY) ## Kill workers, nodes and drivers of a Ray cluster hundreds of times (ARGS=... for counts); nothing may be lost.
	cd tests && $(ALONE) $(abspath $(BIN))/python soak_ray.py $(ARGS)

fuzz: $(READY) ## Give damaged files and wrong command lines to every reader (INPUTS=1000 for each).
	$(BIN)/python tests/fuzz.py --inputs $(or $(INPUTS),1000)

soak: $(READY) ## Load, kills, torn logs, full disks on local studies (SCALE=1 is the quick form, 10 the full one).
	$(BIN)/python tests/soak.py --scale $(or $(SCALE),1)

release: $(READY) ## Build wheel and sdist, check them, install the wheel in a clean room, test the sdist.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[release]'
	$(BIN)/python tests/clean_room.py

audit: $(READY) ## Ask whether a pinned package is known to be unsafe.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[release]'
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

# Old packages warn about newer ones below them, so here warnings are no errors.
test-lowest: ## Run the quick tests with the lowest version of each package that is allowed.
	@test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt -e '.[all,dev]'
	.venv-lowest/bin/python -m pytest -n auto -W default

lint: $(READY) ## Check style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Check types.
	$(BIN)/mypy

check: lint types test ## Lint, types, tests; CI runs test-ray besides.

format: $(READY) ## Rewrite the source in house style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## Build the documentation as a site, strictly, into .site/.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(READY) ## Measure speed, each figure beside a reference of the same run.
	$(ALONE) $(abspath $(BIN))/python -m benchmarks

gpu-proof: ## Prove and measure a GPU in 20 minutes: PYTHON=... with torch, numpy and safetensors is enough.
	$(PYTHON) -m benchmarks.gpu_proof

results-gpu: ## Train the networks designed by hand on CIFAR-10, whole, on a GPU (ARGS="--seeds 3"; a day).
	PYTHONPATH=. $(PYTHON) results/published/references/train.py $(ARGS)

results: $(READY) ## Make the published tables anew (TABLE=nasbench201.csv.gz; takes hours).
	PATH="$(abspath $(BIN)):$$PATH" sh results/published/nasbench201/run.sh $(TABLE)
	PATH="$(abspath $(BIN)):$$PATH" sh results/published/digits-hard/run.sh

clean: ## Remove the environment and all caches.
	rm -rf $(VENV) .venv-lowest dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help install demo test test-slow test-ray test-ray-searches test-ray-others soak-ray fuzz soak release audit test-lowest lint types check format docs bench gpu-proof results results-gpu clean
