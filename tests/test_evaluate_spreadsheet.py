"""The CSV of errors: it reads back to the very spans, and no cell of text is a formula."""

import csv
import io
import random

import pytest
from hostile import HOSTILE
from reports import Json, make_report

from hoidam.errors import DataError
from hoidam.evaluate.spreadsheet import render_errors_csv

FORMULAS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "'", "'=1", "''", '=HYPERLINK("http://x","y")']


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def text_of(cell: str) -> str:
    """What the documented rule gives back."""
    return cell[1:] if cell.startswith("'") else cell


def spans_of(rows: list[dict[str, str]], side: str) -> list[Json]:
    found = []
    for row in rows:
        if row[f"{side}_start"]:
            span: Json = {"start": int(row[f"{side}_start"]), "end": int(row[f"{side}_end"])}
            span |= {name: text_of(row[f"{side}_{name}"]) for name in ("type", "text")}
            if row[f"{side}_category"]:
                span["category"] = text_of(row[f"{side}_category"])
            if side == "predicted" and row["predicted_score"]:
                span["score"] = float(row["predicted_score"])
            found.append(span)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_errors_read_back_whatever_their_texts_are(seed: int) -> None:
    words = [*HOSTILE, *FORMULAS, "a,b", 'say "x"', "two\r\nlines", "một"]
    rng = random.Random(seed)
    report = make_report(
        seed, types=rng.sample(words, 3), categories=rng.sample(words, 3), word=lambda rng: rng.choice(words)
    )
    text = render_errors_csv(report)
    rows = read(text)
    back: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        back.setdefault(row["error"], []).append(row)
    assert list(back) == [str(number) for number in range(1, len(report["errors"]["list"]) + 1)]
    for error, lines in zip(report["errors"]["list"], back.values(), strict=True):
        assert {text_of(line["article"]) for line in lines} == {error["article"]}
        assert {line["kind"] for line in lines} == {error["kind"]}
        assert {text_of(line["context"]) for line in lines} == {error["context"]["text"]}
        assert {int(line["context_start"]) for line in lines} == {error["context"]["start"]}
        assert spans_of(lines, "gold") == error["gold"]
        assert spans_of(lines, "predicted") == error["predicted"]
    for row in rows:
        for name, cell in row.items():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")), name


def test_lines_end_as_rfc_4180_says_and_the_header_names_the_columns() -> None:
    text = render_errors_csv(make_report(1, errors=3))
    assert text.endswith("\r\n")
    assert text.split("\r\n")[0] == (
        "error,article,kind,gold_type,gold_category,gold_start,gold_end,gold_text,"
        "predicted_type,predicted_category,predicted_start,predicted_end,predicted_text,predicted_score,"
        "context_start,context"
    )
    assert "\n" not in text.replace("\r\n", "")


def test_without_texts_only_the_header_is_left() -> None:
    assert render_errors_csv(make_report(1, texts=False)).count("\r\n") == 1


def test_another_format_or_an_incomplete_report_is_refused() -> None:
    report = make_report(1)
    with pytest.raises(DataError, match="format"):
        render_errors_csv(report | {"format": "x"})
    with pytest.raises(DataError, match="incomplete"):
        render_errors_csv(report | {"errors": {"list": [{"article": "a"}]}})
