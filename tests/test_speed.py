"""The speed benchmark: rivals that find what they should, floors that count right, ratios, and one whole run."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.speed import __main__ as command_line
from eval.speed.engines import said
from eval.speed.machine import encoder_operations
from eval.speed.measure import choose
from eval.speed.race import Outcome
from eval.speed.render import render
from eval.speed.results import missed, ratio_rows
from eval.speed.rivals import PipelineEngine, UndertheseaEngine, apart, entities
from eval.speed.stages import STAGES, Clock, Work, holder, run_command
from eval.speed.variants import RATIOS, VARIANTS, Ratio, Variant
from eval.speed.worker import covered
from hoidam.document import Span
from hoidam.evaluate import read_benchmark, score
from hoidam.evaluate.counts import Measure
from hoidam.files import read_json_lines
from hoidam.ingest.normalise import normalise
from hoidam.ingest.readers import Document

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "models" / "hoidam-small"
PUBLISHED = ROOT / "eval" / "speed" / "results.json"


@pytest.fixture(scope="module")
def dev():
    return read_benchmark(ROOT / "eval" / "benchmarks" / "dev.toml").read()


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def documents(gold):
    return [Document(annotated.id, annotated.article.text, "") for annotated in gold]


def test_where_windows_differ_on_a_span_one_of_them_counts():
    short, long, later = Span(10, 12, "PLACE"), Span(10, 24, "PLACE"), Span(20, 30, "PLACE")
    inside, after = Span(11, 12, "TITLE"), Span(24, 26, "PLACE")
    assert apart([later, short, long, inside, after, long]) == [long, inside, after]


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
def test_the_pipeline_with_our_weights_finds_our_places_one_by_one_and_in_batches(dev):
    gold = sorted(dev.gold, key=lambda annotated: len(annotated.article.text))[:3]
    count, tagged = PipelineEngine(SHIPPED, batch_size=16, words=True).run(documents(gold))
    assert count == 3
    places = score(gold, predictions=tagged, scheme=dev.scheme).table(Measure.STRICT).rows["PLACE"]
    assert places.gold > 20
    assert places.ratios.f1 > 0.9
    assert PipelineEngine(SHIPPED, batch_size=1, words=True).run(documents(gold[:1])) == (1, tagged[:1])


def test_underthesea_s_spans_lie_on_the_input_though_it_moves_tones():
    pytest.importorskip("underthesea")
    text = "Tin mới\n\nHôm qua, ông Nguyễn Văn Hoà đã đến thăm tỉnh Khánh Hoà , thành phố Hà Nội."
    _, [found] = UndertheseaEngine(SHIPPED).run([Document("one", text, "")])
    surfaces = {(span.type, text[span.start : span.end]) for span in found.spans}
    assert surfaces == {("OFFICIAL", "Nguyễn Văn Hoà"), ("PLACE", "tỉnh Khánh Hoà"), ("PLACE", "Hà Nội")}


WORDS = st.lists(
    st.tuples(st.text("aăB1.", min_size=1, max_size=4), st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])),
    min_size=1,
    max_size=12,
)


@given(WORDS, st.randoms(use_true_random=False))
def test_entities_are_runs_of_words_whatever_white_space_stands_between(tokens, rng):
    line, starts = "", []
    for word, _ in tokens:
        line += " " * rng.randrange(3)
        starts.append(len(line))
        line += word
    expected, previous = [], "O"
    for (word, tag), start in zip(tokens, starts, strict=True):
        if tag.startswith("I-") and previous[2:] == tag[2:]:
            expected[-1] = (expected[-1][0], start + len(word), tag[2:])
        elif tag != "O":
            expected.append((start, start + len(word), tag[2:]))
        previous = tag
    kinds = {"PER": "OFFICIAL", "LOC": "PLACE"}
    assert list(entities(line, tokens)) == [(start, end, kinds[kind]) for start, end, kind in expected]


def test_words_that_are_not_their_line_s_are_refused():
    with pytest.raises(ValueError, match="other characters"):
        list(entities("Lào Cai", [("Lào", "B-LOC")]))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12))
def test_the_union_of_ranges_counts_no_moment_twice(ranges):
    ranges = [(start, start + length) for start, length in ranges]
    assert covered(ranges) == len({moment for start, end in ranges for moment in range(start, end)})


def test_the_encoder_s_operations_are_those_that_torch_counts(bert_folder):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hoidam.model import load_encoder

    encoder = load_encoder(str(bert_folder), attention="eager").eval()
    batches = [(3, 24), (1, 96), (5, 8)]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        for windows, pieces in batches:
            ids = torch.full((windows, pieces), 5)
            encoder(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert encoder_operations(encoder.config, batches) == counter.get_total_flops()


def test_every_stage_is_a_function_that_the_command_calls(model_folder, corpus, tmp_path):
    output = tmp_path / "tagged.jsonl"
    seconds, work = run_command(corpus.articles("dev"), model=model_folder, output=output)
    assert set(seconds) == {*STAGES.values(), "other"}
    assert all(spent > 0 for spent in seconds.values()), seconds
    texts = [record["text"] for _, record in read_json_lines(corpus.articles("dev"))]
    assert len(list(read_json_lines(output))) == len(texts)
    assert 0 < work.characters <= sum(len(normalise(text).text) for text in texts)
    assert work.pieces <= sum(windows * pieces for windows, pieces in work.batches)


def test_time_in_an_inner_stage_is_not_the_outer_one_s(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.thread_time", lambda: now)
    clock = Clock(Work())
    with clock.stage("outer"):
        now += 1
        with clock.stage("inner"):
            now += 10
        now += 100
    assert clock.seconds == {"outer": 101, "inner": 10}


def test_threads_are_counted_side_by_side():
    clock = Clock(Work())

    def work(_):
        with clock.stage("thread"):
            started = time.thread_time()
            while time.thread_time() < started + 0.05:
                pass

    with clock.stage("outer"), ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(6)))
    assert 0.3 <= clock.seconds["thread"] < 0.4
    assert clock.seconds["outer"] < 0.05


def test_a_stage_that_is_gone_is_an_error():
    with pytest.raises(AttributeError):
        getattr(*holder("hoidam.predict.Predictor.no_such_function"))


def outcome(name, *seconds, **others):
    return Outcome(Variant(name, "", ""), seconds=list(seconds), articles=12, **others)


def test_ratios_are_taken_round_by_round_and_those_without_a_side_left_out():
    outcomes = [outcome("a", 1, 2, 4), outcome("b", 3, 4, 4), outcome("c", 1, skipped="not here")]
    [row] = ratio_rows(outcomes, [Ratio("a", "b", at_least=2.5), Ratio("a", "c"), Ratio("d", "a")])
    assert (row["median"], row["low"], row["high"]) == (2, 1, 3)
    assert missed({"ratios": [row], "loss": None}) == ["a to b: 2.00, wanted 2.50"]
    held = {"ratios": [row | {"at_least": 2.0}], "loss": None}
    assert not missed(held, wanted=[Ratio("a", "b", at_least=2.0), Ratio("d", "a")])
    assert missed(held, wanted=[Ratio("d", "a", at_least=1.0)]) == ["d to a: not measured"]


@pytest.mark.parametrize(("difference", "lines"), [(0.001, 0), (-0.001, 0), (0.003, 1), (-0.003, 1)])
def test_scores_may_lie_so_far_apart_and_no_further(difference, lines):
    loss = {"of": "a", "to": "b", "difference": difference, "at_most": 0.002}
    assert len(missed({"ratios": [], "loss": loss})) == lines


def test_ratios_name_variants_and_every_variant_has_a_ratio():
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names)
    assert {side for ratio in RATIOS for side in (ratio.of, ratio.to)} == set(names)


@pytest.mark.parametrize(("ids", "count"), [(128, 24), (3, 24), (24, 24), (5, 3)])
def test_timed_articles_are_spread_over_all(ids, count):
    names = [str(number) for number in range(ids)]
    found = choose(names, count=count)
    assert len(found) == count
    assert len(set(found)) == min(ids, count)
    assert list(found) == sorted(found, key=int)


def test_the_cause_of_a_failed_command_is_found_in_its_frame():
    usage = "Usage: hoidam tag\n╭─ Error ─╮\n│ No such option: --workers  │\n╰─────────╯\n"
    assert said(usage) == "No such option: --workers"
    assert said("Traceback\n  line\nImportError: no module\n\n") == "ImportError: no module"
    assert said("") == "it said nothing"


@pytest.mark.slow
def test_a_whole_quick_run_writes_its_json_and_that_rendered(monkeypatch, tmp_path, capsys, model_folder, corpus):
    arguments = ["--model", model_folder, "--gold", corpus.gold("dev"), "--articles", corpus.articles("dev")]
    arguments += ["--labels", corpus.labels, "--output", tmp_path, "--only", "hoidam", "hoidam-gpu", "--quick"]
    monkeypatch.setattr(sys, "argv", ["eval.speed", *map(str, arguments)])
    command_line.main()
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (tmp_path / "RESULTS.md").read_text(encoding="utf-8") == render(results) == capsys.readouterr().out[:-1]
    ours, gpu = results["variants"]
    assert ours["articles"] == 4
    assert len(ours["seconds"]) == 2
    assert "cuda" in gpu["skipped"] or gpu["gpu_busy"] > 0
    assert results["scores"][0]["f1"]["micro"] > 0.5
    assert results["timed"]["pieces"] > results["timed"]["words"] > 0
    assert [row["stage"] for row in results["profile"]["stages"]][-1] == "other"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="`make speed` has not been run")
def test_what_is_published_is_its_json_rendered_and_was_no_quick_run():
    results = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert PUBLISHED.with_name("RESULTS.md").read_text(encoding="utf-8") == render(results)
    assert "--quick" not in results["command"]
    assert results["rounds"] >= 5
    assert results["commit"]
    assert results["machine"]["processor"]
