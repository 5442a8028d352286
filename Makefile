# make run: set up, train, score, tag, show.   make test: set up, run the tests.
# make evaluate: score MODEL on every benchmark.   make targets: what MODEL is to reach on test, and what it has.
# make model: train the shipped model anew.   make student: teach the smaller one.   make curve: scores by size.
# make noise: scores of MODEL by typing errors.   make speed: batch inference against its rivals.
# make speed-training: training against transformers' plain set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT := out
EXTRAS := dev,dedup,embedded,underthesea

MODEL := models/hoidam-small
STUDENT := models/hoidam-tiny
BENCHMARKS := $(basename $(notdir $(wildcard eval/benchmarks/*.toml)))

RUNS := training/runs
SEEDS := 1 2 3
# Train articles of each point of the learning curve, and epochs, more where fewer articles make fewer steps; 0 is all.
CURVE := 60:13 120:8 240:5 0:4

# Shares of words that are garbled, with all kinds of typing errors, and with one kind alone.
NOISE := all:0 all:0.02 all:0.05 all:0.1 marks:0.05 tones:0.05 case:0.05 letters:0.05 spaces:0.05

PARTS := train dev test
CORPUS = $(foreach part,$(PARTS),--articles data/articles/$(part).jsonl --gold annotations/gold/$(part).jsonl)

.PHONY: setup run test check evaluate targets model student curve noise speed speed-training fix stats clean
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
	$(BIN)/hoidam evaluate --benchmark eval/benchmarks/test.toml --model training/runs/quick/model --report $(OUT)/test
	$(BIN)/hoidam tag data/samples --model training/runs/quick/model --output $(OUT)/samples.jsonl
	$(BIN)/hoidam view $(OUT)/samples.jsonl --output $(OUT)/samples.html
	@echo
	@echo "model          training/runs/quick/model"
	@echo "test report    $(OUT)/test/report.html"
	@echo "tagged samples $(OUT)/samples.jsonl"
	@echo "page to open   $(OUT)/samples.html"

test: $(VENV)/ready
	$(BIN)/pytest --numprocesses 2 --dist loadfile

check: $(VENV)/ready
	$(BIN)/ruff check src tests eval
	$(BIN)/ruff format --check src tests eval
	$(BIN)/mypy
	$(BIN)/hoidam gold check --checks annotations/checks.toml $(CORPUS)

evaluate: $(VENV)/ready
	@failed=; for name in $(BENCHMARKS); do \
		$(BIN)/hoidam evaluate --benchmark eval/benchmarks/$$name.toml --floors eval/floors.toml \
			--model $(MODEL) --report $(OUT)/evaluate/$$name --force || failed="$$failed $$name"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

# A finished run is neither trained anew nor used unasked once what it learnt from has changed.
STOP_IF_OLDER = @test ! -d $@ || { \
	echo "$(@D) is older than its data or recipe: rm -r it to train anew, or touch $@ to keep it" >&2; exit 1; }

# A stopped run goes on. One thread: with more, sums come in another order, and the model is another.
$(RUNS)/%/model: training/embedded.toml annotations/labels.toml \
		$(foreach part,train dev,data/articles/$(part).jsonl annotations/gold/$(part).jsonl) | models/encoders/embedded
	$(STOP_IF_OLDER)
	OMP_NUM_THREADS=1 $(BIN)/hoidam train $< --output $(@D) $(if $(wildcard $(@D)),--resume) \
		--set seed=$(lastword $(subst -, ,$*))
	touch $@

# The mean of the weights of all seeds, which begin alike; whether it is better than each of them, dev says.
$(RUNS)/shipped-average/model: $(foreach seed,$(SEEDS),$(RUNS)/shipped-$(seed)/model)
	rm -rf $(@D)
	$(BIN)/hoidam average $(patsubst %/model,%,$^) --output $(@D)

model: $(foreach run,$(SEEDS) average,$(RUNS)/shipped-$(run)/model)
	$(BIN)/hoidam export $(foreach run,$^,--model $(run)) --format int8 --output $(MODEL) --notes models/notes.md --force
	$(BIN)/hoidam evaluate --benchmark eval/benchmarks/test.toml --model $(MODEL) \
		--seen-in annotations/gold/train.jsonl --report eval/reports/hoidam-small-test --force
	$(BIN)/hoidam export $(foreach run,$^,--model $(run)) --format int8 --output $(MODEL) --notes models/notes.md --force \
		--report eval/reports/hoidam-small-test

# Nothing is installed that lies more than 0.7 points of strict F1 below the shipped model on dev.
$(RUNS)/student/model: training/student.toml data/articles/unlabelled.jsonl $(RUNS)/shipped-1/model
	$(STOP_IF_OLDER)
	OMP_NUM_THREADS=1 $(BIN)/hoidam train $< --output $(@D) $(if $(wildcard $(@D)),--resume)
	touch $@

student: $(RUNS)/student/model
	$(BIN)/hoidam export --model $< --format int8 --output $(STUDENT) --notes models/notes.md --force \
		--benchmark eval/benchmarks/dev.toml --against $(MODEL)

targets: $(VENV)/ready
	$(BIN)/hoidam evaluate --benchmark eval/benchmarks/test.toml --floors eval/targets.toml --model $(MODEL)

curve: $(VENV)/ready models/encoders/embedded
	for point in $(CURVE); do size=$${point%:*}; for seed in $(SEEDS); do run=$(RUNS)/curve/$$size-$$seed; \
		test -d $$run/model || $(BIN)/hoidam train training/embedded.toml --output $$run --set seed=$$seed \
			$$(test ! -d $$run || echo --resume) --set data.train_limit=$$size --set training.epochs=$${point#*:} || exit 1; \
		test -d $(OUT)/curve/$$size/$$seed || $(BIN)/hoidam evaluate --benchmark eval/benchmarks/test.toml \
			--model $$run/model --report $(OUT)/curve/$$size/$$seed || exit 1; \
	done; done
	$(BIN)/hoidam summarise $(foreach point,$(CURVE),$(OUT)/curve/$(firstword $(subst :, ,$(point)))) \
		--output $(OUT)/curve.md --force

noise: $(VENV)/ready
	rm -rf $(OUT)/noise
	for point in $(NOISE); do kind=$${point%:*}; folder=$(OUT)/noise/$$kind-$${point#*:}; \
		$(BIN)/hoidam gold noise --articles data/articles/test.jsonl --gold annotations/gold/test.jsonl \
			--labels annotations/labels.toml --rate $${point#*:} $$(test $$kind = all || echo --kinds $$kind) \
			--articles-output $(OUT)/noise/articles.jsonl --gold-output $(OUT)/noise/gold.jsonl --force || exit 1; \
		$(BIN)/hoidam evaluate --gold $(OUT)/noise/gold.jsonl --articles $(OUT)/noise/articles.jsonl \
			--labels annotations/labels.toml --model $(MODEL) --report $$folder || exit 1; \
	done
	for form in md json; do $(BIN)/hoidam summarise $(foreach point,$(NOISE),$(OUT)/noise/$(subst :,-,$(point))) \
		--output eval/noise/test.$$form --force || exit 1; done

speed: $(VENV)/ready
	$(BIN)/python -m eval.speed --output eval/speed

speed-training: $(VENV)/ready models/encoders/embedded
	$(BIN)/python -m eval.speed.training --output eval/speed

fix: $(VENV)/ready
	$(BIN)/ruff check --fix src tests eval
	$(BIN)/ruff format src tests eval

stats: $(VENV)/ready
	$(BIN)/hoidam gold stats $(CORPUS) --gazetteer data/gazetteer --place-type PLACE > data/STATS.md

clean:
	rm -rf $(VENV) $(OUT) models/encoders training/runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
