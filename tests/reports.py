"""Reports made up at random, in the layout of `report.json`, with texts, labels and gaps of every sort."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hoidam.evaluate.definitions import KINDS, MEASURES, RANKING
from hoidam.evaluate.render import FORMAT

Json = dict[str, Any]

TYPES = ("OFFICIAL", "TITLE", "PLACE", "TOPIC")
CATEGORIES = ("TRADE", "BORDER_GATE", "BORDER_MANAGEMENT", "SECURITY", "AGRICULTURE", "INFRASTRUCTURE", "TOURISM")
_TEXT = (
    "Sáng nay đoàn đại biểu huyện Mường Khương do ông Giàng Quốc Hưng làm trưởng đoàn đã hội đàm với chính quyền "
    "huyện Mã Quan châu Văn Sơn về phòng chống tội phạm qua biên giới trao đổi thương mại cửa khẩu phát triển du lịch "
    "hai bên thống nhất duy trì tuần tra song phương quản lý mốc giới và giao lưu văn hóa 😀"
)
_BY_CATEGORY = {"strict_category", "strict_by_category", "overlap_category", "overlap_by_category", "categories"}


def make_report(
    seed: int = 0,
    *,
    types: Sequence[str] = TYPES,
    categories: Sequence[str] = CATEGORIES,
    articles: int = 40,
    errors: int = 120,
    intervals: bool = True,
    second: bool = True,
    analysis: bool = True,
    texts: bool = True,
    empty: float = 0.0,
    word: Callable[[random.Random], str] | None = None,
) -> Json:
    """A report as `hoidam evaluate` writes it.

    `empty` is the share of labels without gold and prediction, `word` makes the words of texts, ids and facts.
    """
    rng = random.Random(seed)
    make = word or (lambda rng: rng.choice(_TEXT.split()))
    ids = [f"{make(rng)}-{number:03}" for number in range(articles)]
    measures = {
        name: _table(rng, _labels(name, types=types, categories=categories), intervals=intervals, empty=empty)
        for name in MEASURES
    }
    listed = [_error(rng, ids, types=types, categories=categories, word=make) for _ in range(errors)]
    strict = measures["strict"]["micro"]
    return {
        "format": FORMAT,
        "facts": {
            "command": f"hoidam evaluate --gold {make(rng)}.jsonl --report out",
            "commit": f"{rng.getrandbits(160):040x}",
            "data_sha256": {f"{make(rng)}.jsonl": f"{rng.getrandbits(256):064x}" for _ in range(2)},
            "model": f"quick {make(rng)}@46a61009779d",
            "hardware": {"processor": make(rng), "threads": 2, "gpu": None, "bf16": False},
        },
        "scored": {
            "articles": articles,
            "unread": ids[: rng.randint(0, 30)],
            "gold_spans": strict["gold"],
            "predicted_spans": strict["predicted"],
        },
        "bootstrap": {"unit": "article", "method": "percentile", "resamples": 10000, "seed": 0, "level": 0.95}
        if intervals
        else None,
        "measures": measures,
        "ranking": _ranking(rng, articles, intervals=intervals) if categories else None,
        "false_alarms": _alarms(rng, articles if categories else 0, intervals=intervals),
        "unreachable": [{"cause": make(rng), "type": name, "gold": 5, "found": 1} for name in types[:2]],
        "slices": _slices(rng, types, word=make) if analysis else [],
        "calibration": {
            "spans": [_calibration(rng, name) for name in types] if analysis else [],
            "categories": [_calibration(rng, "all categories")] if analysis and categories else [],
        },
        "curves": [
            _curve(rng, of, label)
            for of, labels in (("spans", types), ("categories", categories))
            for label in (labels if analysis else ())
        ],
        "second": {
            "annotator": make(rng),
            "articles": articles // 2,
            "measures": {
                name: _table(rng, _labels(name, types=types, categories=categories), intervals=False, empty=empty)
                for name in ("strict", "strict_category", "overlap", "overlap_category", "categories")
            },
        }
        if second
        else None,
        "errors": _errors(rng, listed, types=types, texts=texts),
        "worst_articles": _worst(rng, listed),
        "per_article": [],
    }


def _labels(name: str, *, types: Sequence[str], categories: Sequence[str]) -> Sequence[str]:
    if name == "exact":
        return ["any type"]
    if name in _BY_CATEGORY:
        return types[-1:] if name.endswith("_category") and "by" not in name and categories else categories
    return types


def _table(rng: random.Random, labels: Sequence[str], *, intervals: bool, empty: float) -> Json:
    rows = {label: _row(rng, intervals=intervals, empty=empty) for label in labels}
    sums = {name: sum(row[name] for row in rows.values()) for name in ("correct", "predicted", "gold")}
    micro = sums | _ratios(**sums)
    defined = [row for row in rows.values() if row["gold"] or row["predicted"]]
    macro = {name: _mean([row[name] for row in defined]) for name in ("precision", "recall", "f1")}
    if intervals:
        micro["intervals"], macro["intervals"] = _intervals(rng, micro), _intervals(rng, macro)
    return {"rows": rows, "micro": micro, "macro": macro}


def _row(rng: random.Random, *, intervals: bool = False, empty: float = 0.0) -> Json:
    if rng.random() < empty:
        counts = {"correct": 0, "predicted": 0, "gold": 0}
    else:
        correct = rng.randint(0, 1500)
        counts = {"correct": correct, "predicted": correct + rng.randint(0, 300), "gold": correct + rng.randint(0, 500)}
    row = counts | _ratios(**counts)
    return row | {"intervals": _intervals(rng, row)} if intervals else row


def _ratios(*, correct: float, predicted: float, gold: float) -> Json:
    return {
        "precision": correct / predicted if predicted else None,
        "recall": correct / gold if gold else None,
        "f1": 2 * correct / (predicted + gold) if predicted + gold else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _intervals(rng: random.Random, row: Mapping[str, Any]) -> Json:
    return {name: _interval(rng, row[name]) for name in ("precision", "recall", "f1")}


def _interval(rng: random.Random, value: float | None) -> Json | None:
    if value is None:
        return None
    width = rng.uniform(0, 0.1)
    return {"low": max(0.0, value - width), "high": value + min(width, abs(1 - value)), "resamples": 10000}


def _ranking(rng: random.Random, articles: int, *, intervals: bool) -> Json:
    values = {name: rng.random() * (5 if name == "coverage_error" else 1) for name in RANKING}
    return {
        "articles": articles,
        "values": {
            name: {"value": value, "interval": _interval(rng, value) if intervals else None}
            for name, value in values.items()
        },
    }


def _alarms(rng: random.Random, articles: int, *, intervals: bool) -> Json:
    given = {name: rng.randint(0, articles) for name in ("with_category", "with_span")}
    rates = {
        "category_rate": given["with_category"] / articles if articles else None,
        "span_rate": given["with_span"] / articles if articles else None,
    }
    bounds = {"intervals": {name: _interval(rng, rate) for name, rate in rates.items()}} if intervals else {}
    return {"articles": articles} | given | rates | bounds


def _slices(rng: random.Random, types: Sequence[str], *, word: Callable[[random.Random], str]) -> list[Json]:
    parts = {
        "mention": ("Mentions seen in training or not", ["seen", "unseen"]),
        "length": ("Length of the article", ["up to 200 words", "201–400 words", "over 400 words"]),
        "position": ("Position in the article", [f"{low}–{low + 20} %" for low in range(0, 100, 20)]),
        "outlet": (f"outlet {word(rng)}", sorted({f"{word(rng)}.vn" for _ in range(5)})),
    }
    return [
        {
            "name": name,
            "of": "spans",
            "title": title,
            "rows": [{"slice": part, "label": label} | _row(rng, empty=0.1) for label in types for part in names],
        }
        for name, (title, names) in parts.items()
    ]


def _calibration(rng: random.Random, label: str) -> Json:
    return {
        "label": label,
        "before": _reliability(rng, skew=1.6) if rng.random() < 0.8 else None,
        "after": _reliability(rng, skew=1.0),
    }


def _reliability(rng: random.Random, *, skew: float) -> Json:
    bins = []
    for number in range(10):
        items = rng.choice((0, 3, 20, 60, 400)) * (number + 1)
        confidence = (number + rng.random()) / 10 if items else None
        accuracy = min(1.0, max(0.0, confidence**skew + rng.gauss(0, 0.03))) if confidence is not None else None
        low = number / 10
        bins.append({"low": low, "high": low + 0.1, "items": items, "confidence": confidence, "accuracy": accuracy})
    items = sum(each["items"] for each in bins)
    scores = (rng.random() / 10, rng.random() / 5) if items else (None, None)
    return {"ece": scores[0], "brier": scores[1], "items": items, "bins": bins}


def _curve(rng: random.Random, of: str, label: str) -> Json:
    best = rng.uniform(0.6, 0.98)
    points = []
    for step in range(101):
        threshold = step / 100
        recall = best * (1 - threshold**3)
        precision = 1 - (1 - threshold) ** 1.5 * rng.uniform(0.35, 0.4) if recall else None
        f1 = 2 * precision * recall / (precision + recall) if precision else 0.0
        points.append({"threshold": threshold, "precision": precision, "recall": recall, "f1": f1})
    return {"of": of, "label": label, "points": points, "operating": rng.choice((None, points[50], points[60]))}


def _error(
    rng: random.Random,
    ids: Sequence[str],
    *,
    types: Sequence[str],
    categories: Sequence[str],
    word: Callable[[random.Random], str],
) -> Json:
    """An error whose spans lie where its context has their texts."""
    kind = rng.choice([*KINDS] if categories else [name for name in KINDS if name != "category"])
    words = [word(rng) for _ in range(30)]
    text, start = " ".join(words), rng.randint(0, 3000)
    edges = [0]
    for each in words:
        edges.append(edges[-1] + len(each) + 1)

    def span(first: int, last: int, label: str, *, score: bool) -> Json:
        begin, end = edges[first], edges[last + 1] - 1
        found = {"start": start + begin, "end": start + end, "type": label, "text": text[begin:end]}
        if categories and label == types[-1]:
            found["category"] = rng.choice(categories)
        return found | ({"score": round(rng.random(), 4)} if score else {})

    one, other = rng.choice(types), rng.choice(types)
    wanted, given = {
        "missed": ([(10, 12)], []),
        "invented": ([], [(10, 12)]),
        "furniture": ([], [(10, 11)]),
        "boundary": ([(10, 12)], [(9 + rng.randint(0, 2), 13)]),
        "type": ([(10, 12)], [(10, 12)]),
        "category": ([(10, 12)], [(10, 12)]),
        "split": ([(10, 14)], [(10, 11), (13, 14)]),
        "merged": ([(10, 11), (13, 14)], [(10, 14)]),
    }[kind]
    return {
        "article": rng.choice(ids),
        "kind": kind,
        "gold": [span(*place, one, score=False) for place in wanted],
        "predicted": [span(*place, other if kind == "type" else one, score=True) for place in given],
        "context": {"start": start, "text": text},
    }


def _errors(rng: random.Random, listed: Sequence[Json], *, types: Sequence[str], texts: bool) -> Json:
    counts = {name: dict.fromkeys(KINDS, 0) for name in types}
    confused: Counter[tuple[str, str, str]] = Counter()
    for error in listed:
        first = (error["gold"] or error["predicted"])[0]
        counts[first["type"]][error["kind"]] += 1
        for key in ("type", "category"):
            if error["kind"] == key and error["gold"][0].get(key) != error["predicted"][0].get(key):
                confused[key, error["gold"][0].get(key, "–"), error["predicted"][0].get(key, "–")] += 1
    offsets: defaultdict[str, Json] = defaultdict(dict)
    for name in types:
        for side in ("start", "end"):
            offsets[name][side] = {str(words): rng.randint(0, 90 // (1 + abs(words)) ** 2) for words in range(-5, 6)}
    return {
        "types": counts,
        "total": {kind: sum(row[kind] for row in counts.values()) for kind in KINDS},
        "confusions": [
            {"kind": kind, "gold": gold, "predicted": predicted, "count": count}
            for (kind, gold, predicted), count in confused.most_common()
        ],
        "boundary_offsets": dict(offsets),
        "list": list(listed) if texts else [],
    }


def _worst(rng: random.Random, listed: Sequence[Json]) -> list[Json]:
    counts = Counter(error["article"] for error in listed).most_common(20)
    rows = [(name, number, _row(rng)) for name, number in counts]
    kept = ("gold", "predicted", "correct", "f1")
    return [{"id": name, "errors": number} | {key: row[key] for key in kept} for name, number, row in rows]
