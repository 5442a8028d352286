"""The README's Python does what stands below it: every block runs as it is, and prints what is shown."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n\n?(?P<printed>(?:    [^\n]*\n)*)", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+\.\d+")
BLOCKS = list(BLOCK.finditer(README))


def test_the_readme_has_python():
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line-{README.count(chr(10), 0, block.start()) + 1}")
def test_a_block_runs_and_prints_what_stands_below_it(block, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(block["code"], "README.md", "exec"), {"__name__": "__main__"})
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    shown = [line.removeprefix("    ") for line in block["printed"].splitlines()]
    # Scores may differ in their last digit between processors.
    assert [NUMBER.sub("0", line) for line in printed] == [NUMBER.sub("0", line) for line in shown]
    scores = [[float(found) for line in lines for found in NUMBER.findall(line)] for lines in (printed, shown)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
