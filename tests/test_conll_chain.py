"""A CoNLL corpus through the whole chain without code: import, train, evaluate, tag, export, and seqeval at the end."""

import json
import random
import warnings

import generated
import harbour
import pytest
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from hoidam.evaluate import read_report
from hoidam.files import read_json_lines, write_json_lines
from hoidam.train.recipe import recipe_from_dict, recipe_to_toml

MOST = 1e-9


def rows(path, column=-1):
    """The tags of each sentence of a file, in one column: the simplest reader there can be."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    lines = [[line.split() for line in block.split("\n") if line and "-DOCSTART-" not in line] for block in blocks]
    return [[line[column] for line in block] for block in lines if block]


def of_type(path, name, columns):
    """The tags of one type, in whichever column they stand."""
    layers = [rows(path, column) for column in columns]
    return [
        [next((tag for tag in tags if tag.endswith(f"-{name}")), "O") for tags in zip(*sentence, strict=True)]
        for sentence in zip(*layers, strict=True)
    ]


def strict(gold, given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return classification_report(gold, given, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)


def assert_equal(ours, theirs, types):
    table = ours["measures"]["strict"]
    for name in types:
        assert table["rows"][name]["gold"] == theirs[name]["support"]
        for measure, figure in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert (table["rows"][name][measure] or 0.0) == pytest.approx(theirs[name][figure], abs=MOST)
    assert table["micro"]["gold"] == theirs["micro avg"]["support"]
    assert (table["micro"]["f1"] or 0.0) == pytest.approx(theirs["micro avg"]["f1-score"], abs=MOST)


def bring(command, place, part, *options):
    outputs = ("--articles", place / "articles" / f"{part}.jsonl", "--gold", place / "gold" / f"{part}.jsonl")
    done = command("gold", "import", place / f"{part}.conll", "--format", "conll", *outputs, *options)
    assert done.code == 0, done.err
    return done.err


def write_recipe(path, place, encoder, *, parts=("train", "dev"), segmenter="spaces"):
    recipe = {
        "name": "harbour",
        "data": {
            "labels": str(place / "gold" / "labels.toml"),
            "articles": [str(place / "articles" / f"{part}.jsonl") for part in parts],
            "train": [str(place / "gold" / "train.jsonl")],
            "dev": [str(place / "gold" / "dev.jsonl")],
        },
        "encoder": {"name": str(encoder), "segmenter": segmenter},
        "window": {"size": 96, "overlap": 16},
        "training": {
            "epochs": 3,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "head_learning_rate": 1e-2,
            "precision": "fp32",
        },
    }
    path.write_text(recipe_to_toml(recipe_from_dict(recipe, source="test")), encoding="utf-8")
    return path


@pytest.mark.parametrize("layers", ["flat", "nested"])
def test_a_corpus_in_conll_trains_evaluates_tags_and_scores_as_seqeval_does(layers, command, tmp_path, fresh_folder):
    sizes = {"train": 160, "dev": 40, "test": 300}
    for number, (part, size) in enumerate(sizes.items()):
        made = harbour.sentences(size, seed=number)
        harbour.write(tmp_path / f"{part}.conll", harbour.flat(made) if layers == "flat" else made)
        options = () if layers == "flat" else ("--columns", "token,tag,tag")
        assert bring(command, tmp_path, part, *options).startswith(f"{size} articles, ")
    recipe = write_recipe(tmp_path / "harbour.toml", tmp_path, fresh_folder)
    trained = command("train", recipe, "--device", "cpu", "--output", tmp_path / "run")
    assert trained.code == 0, trained.err
    assert "categories" not in trained.out

    model = ("--model", tmp_path / "run" / "model", "--device", "cpu")
    test = ("--articles", tmp_path / "articles" / "test.jsonl", "--gold", tmp_path / "gold" / "test.jsonl")
    assert command("evaluate", *test, *model, "--report", tmp_path / "report").code == 0
    tagged = tmp_path / "tagged.jsonl"
    assert (
        command("tag", tmp_path / "articles" / "test.jsonl", *model, "--precision", "fp32", "--output", tagged).code
        == 0
    )
    assert command("evaluate", *test, "--tagged", tagged, "--report", tmp_path / "report-tagged").code == 0
    assert command("view", tagged, "--output", tmp_path / "page.html").code == 0

    export = ("gold", "export", "--format", "conll", "--labels", tmp_path / "gold" / "labels.toml", *test[:2])
    source = ("--source", tmp_path / "test.conll")
    written = command(*export, "--tagged", tagged, *source, "--output", tmp_path / "given.conll")
    assert written.code == 0, written.err
    assert command(*export, *test[2:], *source, "--output", tmp_path / "wanted.conll").code == 0
    report = read_report(tmp_path / "report" / "report.json")
    assert report["measures"] == read_report(tmp_path / "report-tagged" / "report.json")["measures"]
    assert report["measures"]["strict"]["micro"]["f1"] > generated.LEAST_SCORE
    columns = [1] if layers == "flat" else [1, 2]
    tags = [tag for column in columns for row in rows(tmp_path / "test.conll", column) for tag in row]
    assert report["measures"]["strict"]["micro"]["gold"] == sum(tag.startswith("B-") for tag in tags)
    assert f"columns {','.join(['token', *['tag'] * len(columns)])}: " in written.err
    for name in harbour.TYPES:
        wanted, given = (of_type(tmp_path / f"{file}.conll", name, columns) for file in ("test", "given"))
        assert wanted == of_type(tmp_path / "wanted.conll", name, columns)
        theirs = strict(wanted, given)["micro avg"]
        ours = report["measures"]["strict"]["rows"][name]
        assert ours["gold"] == theirs["support"] > 50
        assert (ours["f1"] or 0.0) == pytest.approx(theirs["f1-score"], abs=MOST)
    if layers == "flat":
        assert rows(tmp_path / "wanted.conll") == rows(tmp_path / "test.conll")
        assert_equal(report, strict(rows(tmp_path / "test.conll"), rows(tmp_path / "given.conll")), harbour.TYPES)


def disturbed(record, text, rng):
    """What a model of middling skill would say: spans lost, longer, of another type, and some out of nothing."""
    words, place = [], 0
    for word in text.split():
        start = text.index(word, place)
        words.append((start, start + len(word)))
        place = start + len(word)
    starts, ends = [start for start, _ in words], [end for _, end in words]
    wanted = [(starts.index(one["start"]), ends.index(one["end"]), one["type"]) for one in record["spans"]]
    wanted += [(place, place, rng.choice(harbour.TYPES)) for place in range(len(words)) if rng.random() < 0.05]
    spans, taken = [], set()
    for first, end_word, right in wanted:
        longer = end_word + 1 < len(words) and "\n" not in text[ends[end_word] : starts[end_word + 1]]
        last = end_word + (longer and rng.random() < 0.1)
        kind = rng.choice(harbour.TYPES) if rng.random() < 0.1 else right
        if rng.random() < 0.9 and taken.isdisjoint(range(first, last + 1)):
            taken |= set(range(first, last + 1))
            start, end = starts[first], ends[last]
            spans.append({"start": start, "end": end, "type": kind, "text": text[start:end], "score": 0.5})
    return {"id": record["id"], "source": "", "spans": spans, "categories": {}, "model": "none"}


@pytest.mark.parametrize("unit", ["sentence", "document"])
def test_strict_scores_equal_seqevals_on_three_thousand_sentences(unit, command, tmp_path):
    harbour.write(tmp_path / "test.conll", harbour.flat(harbour.sentences(3000, seed=9)), document=150)
    bring(command, tmp_path, "test", "--unit", unit)
    articles, gold = tmp_path / "articles" / "test.jsonl", tmp_path / "gold" / "test.jsonl"
    rng = random.Random(10)
    texts = {record["id"]: record["text"] for _, record in read_json_lines(articles)}
    assert len(texts) == (3000 if unit == "sentence" else 20)
    given = [disturbed(record, texts[record["id"]], rng) for _, record in read_json_lines(gold)]
    write_json_lines(tmp_path / "tagged.jsonl", given)
    labels = ("--labels", tmp_path / "gold" / "labels.toml", "--articles", articles)
    scored = command(
        "evaluate", *labels, "--gold", gold, "--tagged", tmp_path / "tagged.jsonl", "--report", tmp_path / "r"
    )
    assert scored.code == 0, scored.err
    options = ("--source", tmp_path / "test.conll", "--unit", unit, "--output", tmp_path / "given.conll")
    written = command("gold", "export", "--format", "conll", *labels, "--tagged", tmp_path / "tagged.jsonl", *options)
    assert (written.code, f"{sum(len(one['spans']) for one in given)} spans" in written.err) == (0, True)
    report = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    theirs = strict(rows(tmp_path / "test.conll"), rows(tmp_path / "given.conll"))
    assert_equal(report, theirs, harbour.TYPES)
    assert 0.5 < theirs["micro avg"]["f1-score"] < 0.95
