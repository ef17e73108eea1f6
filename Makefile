# Two commands for a stranger: `make demo` and `make test`. Everything lands in .venv; pip's own environment
# variables (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_CERT, …) are neither set nor cleared here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Bytecode is written as modules are first read: that of all the libraries takes minutes, and most is never read.
# Where the environment forbids writing it, each of the many processes of tests would compile what it reads anew
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --no-compile --constraint constraints.txt

.PHONY: demo test tested coverage quick lint weights weights-ct realism ablations films osteoporosis fractures crosscheck licences tree constraints clean

demo: $(VENV)/.installed
	$(BIN)/spineclock demo --out demo

# Style, types and layers are checked beside the tests, and both are done even where one fails
test: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory --keep-going --jobs 2 lint tested

# Two processes, each with a thread of its own; what shares what it makes stays together (tests/conftest.py). In the
# files' order: by default those of few tests come last, which are the longest, and one process waits for the other
tested: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses 2 --dist loadfile \
	  --no-loadscope-reorder --durations 25 --durations-min 10

# The same, and which lines no test reaches; half as long again
coverage:
	PYTEST_ADDOPTS="--cov --cov-report=term" $(MAKE) test

quick: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m "not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The weights again from SPIDER (docs/data.md): make weights DATA=path/to/spider. Simulated people first, then both kinds,
# then two short cycles of mostly real ones; about two hours on 2 cores. A stage that was stopped is taken up.
SEGMENTER := $(BIN)/python -m spineclock.run.segmentation_training --shards build/shards --device cpu --bfloat16 --workers 2
weights: $(VENV)/.installed
	@test -n "$(DATA)" || { echo "error: make weights DATA=<the SPIDER folder>; see docs/data.md" >&2; exit 2; }
	$(BIN)/python -m spineclock.run.segmentation_shards --data $(DATA) --out build/shards
	$(SEGMENTER) --out build/weights/mixed --batch 8 --crop 256 192 --phantoms 400 --render-minutes 7 --real-share 0.7 \
	  --minutes 600
	$(SEGMENTER) --out build/weights/finished --start build/weights/mixed --stages 0,1,2,3,4,all --batch 4 --crop 384 256 \
	  --phantoms 400 --render-minutes 7 --real-share 0.85 --seed 1 --minutes 600
	$(SEGMENTER) --out build/weights --start build/weights/finished --stages 0,1,2,3,4,all --batch 4 --crop 384 256 \
	  --phantoms 150 --render-minutes 2 --real-share 0.95 --scale 0.8 --seed 2 --minutes 600
	$(BIN)/python -m spineclock.run.weights --data $(DATA) --stages outlines,age,package

# The segmentation network of CT again, from simulated people alone; judged on others kept back, and on real CT where
# REAL=path/to/ct names it (docs/data.md). About 80 minutes on 2 cores; stopped, it goes on where it was
weights-ct: $(VENV)/.installed
	$(BIN)/python -m spineclock.run.ct_segmentation_training --work build/ct_segmenter
	$(BIN)/python -m spineclock.run.ct_segmentation_results --work build/ct_segmenter $(if $(REAL),--real $(REAL)) \
	  --out docs/results/ct_segmentation.md --into src/spineclock/weights

# A segmentation network of phantoms alone judged on SPIDER, the phantom beside its people, and the pictures:
# make realism DATA=path/to/spider. About 40 minutes on 2 cores; a training that was stopped is taken up.
realism: $(VENV)/.installed
	@test -n "$(DATA)" || { echo "error: make realism DATA=<the SPIDER folder>; see docs/data.md" >&2; exit 2; }
	$(BIN)/python -m spineclock.run.segmentation_shards --data $(DATA) --out build/shards
	$(BIN)/python -m spineclock.run.segmentation_training --shards build/shards --out build/phantom_only \
	  --stages phantom --device cpu --workers 2 --phantoms 240 --render-minutes 15 --scale 1.1 --crop 256 192 --seed 100
	$(BIN)/python -m spineclock.run.segmentation_evaluation build/phantom_only/segmenter-phantom.safetensors \
	  --data $(DATA) --out build/phantom_only/dice.md
	$(BIN)/python -m spineclock.run.phantom_realism_page $(DATA) --dice build/phantom_only/dice.csv \
	  --weights build/phantom_only/segmenter-phantom.safetensors
	$(BIN)/python -m spineclock.run.phantom_gallery --spider $(DATA)

# Spine ages learned from simulated people at the paper's counts, its ablations and more: hours on 2 cores; stopped, it
# goes on where it was, and on another machine with the trainings that docs/results/ablations/ does not hold yet.
# make ablations ONLY=proposed,scans_850 makes the scans of these trainings alone
ablations: $(VENV)/.installed
	$(BIN)/python -m spineclock.run.ablation.phantom --out build/ages $(if $(ONLY),--only $(ONLY))

# Spine ages learned from simulated radiographs, recalibrated for VFA images, with hazard ratios beside the truth: an hour
# on 2 cores; stopped, it goes on where it was
films: $(VENV)/.installed
	$(BIN)/python -m spineclock.run.films.results --out build/films

# Osteoporosis learned from T1 and T2 of simulated people whose bone density shows, beside the oracle: an hour on 2 cores;
# stopped, it goes on where it was. PACKAGE=1 puts the networks among the packaged weights
osteoporosis: $(VENV)/.installed
	$(BIN)/python -m spineclock.run.osteoporosis.results --out build/osteoporosis $(if $(PACKAGE),--package src/spineclock/weights)

# Risks of vertebral fracture learned from simulated CT, in a world where muscle matters and one where it does not: five
# hours on 2 cores with bfloat16 instructions, and 50 GB (17 with scans removed once they are prepared: make fractures
# LEAN=1); stopped, it goes on where it was. make fractures SCALE=0.03 ONLY=muscle_matters OUT=build/small is a trial;
# UNMEASURED=1 leaves the HU measures of the tested people out
fractures: $(VENV)/.installed
	$(BIN)/python -m spineclock.run.fractures.results --out $(or $(OUT),build/fractures) $(if $(SCALE),--scale $(SCALE)) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(LEAN),--lean) \
	  $(if $(UNMEASURED),--unmeasured) $(if $(PACKAGE),--package src/spineclock/weights)

# Each statistic beside R's and others' (Debian: r-base-core and r-cran-*, listed in CONTRIBUTING.md), R run now
crosscheck: $(VENV)/.installed-dev
	$(BIN)/python tests/crosscheck/run.py --live --out docs/results/crosscheck.md

licences: $(VENV)/.installed-dev
	$(BIN)/python tests/licences.py

# The tree in docs/architecture.md, from the modules' own first lines
tree: $(VENV)/.installed-dev
	$(BIN)/python tests/tree.py

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or later is wanted: make PYTHON=python3.11 ...")'
	rm -f $(VENV)/.installed*
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[dev]'
	touch $(VENV)/.installed $@

# Pins what a clean, unconstrained environment resolves to; +cpu and the like are where a wheel came from, not what it is.
constraints:
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install '.[dev]'
	{ sed -n '/^#/p' constraints.txt; \
	  build/constraints/bin/python -m pip freeze --all --exclude pip --exclude spineclock | sed -E 's/\+[A-Za-z0-9.]+$$//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

clean:
	rm -rf dist demo .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
