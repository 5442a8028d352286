"""The analysis of a report: which predictions each part of it looks at, and that it is plain JSON data."""

import json
import random

from test_evaluate_calibration import rescored
from test_evaluate_cases import SCHEME, random_case
from test_evaluate_curves import above

from hoidam.evaluate.analysis import Candidates, analyse
from hoidam.evaluate.calibration import measure_calibration
from hoidam.evaluate.curves import draw_curves
from hoidam.evaluate.errors import errors_dict, find_errors


def test_errors_are_those_of_what_was_given_out_and_calibration_and_curves_those_of_all_candidates():
    for seed in range(50):
        rng = random.Random(seed)
        gold, found = random_case(seed)
        raw, calibrated = ([rescored(one, rng.random) for one in found] for _ in range(2))
        given = [above(one, 0.5) for one in calibrated]
        thresholds = {"PERSON": 0.5}
        candidates = Candidates(raw, calibrated, thresholds)
        analysis = analyse(gold, predictions=given, scheme=SCHEME, candidates=candidates, show_text=True)
        errors = find_errors(gold, predictions=given)
        assert analysis["errors"] == errors_dict(errors, scheme=SCHEME, show_text=True)
        assert analysis["calibration"] == measure_calibration(gold, predictions=calibrated, raw=raw, scheme=SCHEME)
        assert analysis["curves"] == draw_curves(gold, candidates=calibrated, thresholds=thresholds, scheme=SCHEME)
        assert sum(row["errors"] for row in analysis["worst_articles"]) == len(errors)
        assert json.loads(json.dumps(analysis, allow_nan=False)) == analysis


def test_of_a_tagged_file_only_what_it_holds_is_judged_and_no_text_is_shown_unasked():
    gold, given = random_case(7)
    analysis = analyse(gold, predictions=given, scheme=SCHEME, seen=[("PERSON", "xx")], meta=())
    assert analysis["calibration"] == measure_calibration(gold, predictions=given, scheme=SCHEME)
    assert analysis["curves"] == analysis["errors"]["list"] == []
    assert [one["name"] for one in analysis["slices"]] == ["mention", "position", "length"]
