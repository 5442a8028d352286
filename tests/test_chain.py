"""The whole chain as a user runs it, each command in a process of its own: train, evaluate, tag, view."""

import json
import re
import unicodedata

import generated

from hoidam.evaluate import read_report
from hoidam.files import write_json_lines


def test_train_evaluate_tag_and_view_go_through_on_a_cpu(console, fresh_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = generated.write_corpus(tmp_path / "corpus")
    test = generated.make_articles("test", 10, seed=77)
    write_json_lines(corpus.articles("test"), (one.article.to_dict() for one in test))
    write_json_lines(corpus.gold("test"), (one.to_dict() for one in test))
    corpus.write_recipe(tmp_path / "quick.toml", fresh_folder, name="quick")

    trained = console("train", "quick.toml", "--device", "cpu", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.startswith("Scores on dev")
    counts, memory, pace, *rest = [line for line in trained.stderr.splitlines() if not line.startswith("training: ")]
    assert counts.endswith(" windows; 10 for dev")
    assert re.match(r"48 steps of 4 windows, \d+ pieces each; a step's memory: [\d.]+ MB", memory)
    assert re.match(r"[\d.]+ s a step, of 5 timed: .* for the \d+ steps left, without scoring dev", pace)
    assert [line.partition(":")[0] for line in rest] == ["epoch 1 of 3", "epoch 2 of 3", "epoch 3 of 3", "model"]
    model = tmp_path / "runs" / "quick" / "model"
    facts = json.loads((model.parent / "provenance.json").read_text(encoding="utf-8"))
    assert facts["command"] == "hoidam train quick.toml --device cpu"

    scored = console(
        "evaluate", "--model", model, "--gold", corpus.gold("test"), "--articles", corpus.articles("test"),
        "--labels", corpus.labels, "--report", "report", "--device", "cpu", cwd=tmp_path,
    )  # fmt: skip
    assert scored.returncode == 0, scored.stderr
    assert scored.stdout.startswith("Scores")
    report = read_report(tmp_path / "report" / "report.json")
    assert report["measures"]["strict"]["macro"]["f1"] > generated.LEAST_SCORE
    assert report["scored"]["articles"] == len(test)

    texts = {one.id: hostile(one.article.text, number) for number, one in enumerate(test)}
    for name, text in texts.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.txt").write_bytes(text.encode())
    tagged = console("tag", "in", "--model", model, "--output", "tagged.jsonl", "--device", "cpu", cwd=tmp_path)
    assert (tagged.returncode, tagged.stdout) == (0, ""), tagged.stderr
    records = [json.loads(line) for line in (tmp_path / "tagged.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(record["id"] for record in records) == sorted(texts)
    spans = [(texts[record["id"]], span) for record in records for span in record["spans"]]
    assert len(spans) > 50
    assert all(text[span["start"] : span["end"]] == span["text"] for text, span in spans)
    wanted = {(one.id, one.article.text[span.start : span.end]) for one in test for span in one.spans}
    given = {(one["id"], plain(span["text"])) for one in records for span in one["spans"]}
    assert len(wanted & given) > 0.8 * len(wanted | given)

    viewed = console("view", "tagged.jsonl", "--output", "page.html", cwd=tmp_path)
    assert (viewed.returncode, viewed.stdout) == (0, ""), viewed.stderr
    assert viewed.stderr == "10 articles: page.html\n"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(name in page for name in texts)
    assert all(kind in page for kind in ("WHO", "POST", "SITE", "MATTER"))


def hostile(text, number):
    """A text with one or more of: a byte-order mark, decomposed characters, CRLF, hard spaces."""
    if number % 2:
        text = unicodedata.normalize("NFD", text)
    if number % 3 == 0:
        text = f"\ufeff{text}"
    if number % 4 < 2:
        text = text.replace("\n", "\r\n")
    return text.replace(" ", "\u00a0") if number % 5 == 4 else text


def plain(surface):
    return unicodedata.normalize("NFC", surface.replace("\u00a0", " "))
