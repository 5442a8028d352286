# make run: set up, train, score, tag, show.   make test: set up, run the tests.   make evaluate: score MODEL on every benchmark.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := out
EXTRAS := dev,dedup,embedded,underthesea

MODEL := models/hoidam-small
BENCHMARKS := $(basename $(notdir $(wildcard eval/benchmarks/*.toml)))

PARTS := train dev test
CORPUS = $(foreach part,$(PARTS),--articles data/articles/$(part).jsonl --gold annotations/gold/$(part).jsonl)

.PHONY: setup run test check evaluate fix stats clean
.DELETE_ON_ERROR:

setup: $(VENV)/ready

# torch comes first and alone: its constraint keeps pip from choosing a build with GPU libraries.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

models/encoders/embedded: | $(VENV)/ready
	$(BIN)/hoidam encoder prepare embedded --output $@

run: $(VENV)/ready models/encoders/embedded
	rm -rf $(OUT) training/runs/quick
	$(BIN)/hoidam train training/quick.toml
	$(BIN)/hoidam evaluate --model training/runs/quick/model \
		--articles data/articles/test.jsonl --gold annotations/gold/test.jsonl --report $(OUT)/test
	$(BIN)/hoidam tag data/samples --model training/runs/quick/model --output $(OUT)/samples.jsonl
	$(BIN)/hoidam view $(OUT)/samples.jsonl --output $(OUT)/samples.html
	@echo
	@echo "model          training/runs/quick/model"
	@echo "test report    $(OUT)/test/report.md"
	@echo "tagged samples $(OUT)/samples.jsonl"
	@echo "page to open   $(OUT)/samples.html"

test: $(VENV)/ready
	$(BIN)/pytest

check: $(VENV)/ready
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/hoidam gold check --checks annotations/checks.toml $(CORPUS)

evaluate: $(VENV)/ready
	@failed=; for name in $(BENCHMARKS); do \
		$(BIN)/hoidam evaluate --benchmark eval/benchmarks/$$name.toml --floors eval/floors.toml \
			--model $(MODEL) --report $(OUT)/evaluate/$$name --force || failed="$$failed $$name"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

fix: $(VENV)/ready
	$(BIN)/ruff check --fix src tests
	$(BIN)/ruff format src tests

stats: $(VENV)/ready
	$(BIN)/hoidam gold stats $(CORPUS) --gazetteer data/gazetteer --place-type PLACE > data/STATS.md

clean:
	rm -rf $(VENV) $(OUT) models/encoders training/runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
