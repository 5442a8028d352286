"""The floors that a model must hold on a benchmark, and whether a report holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoidam.errors import DataError
from hoidam.evaluate.figures import find_figure
from hoidam.files import read_toml


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure of a report that must not fall below `bound`, or, where it is a ceiling, must not exceed it."""

    figure: str
    bound: float
    ceiling: bool = False

    def find(self, report: Mapping[str, Any]) -> float | None:
        """The figure in a report; raises DataError where a report has no such figure."""
        return find_figure(report, self.figure)

    def is_held_by(self, report: Mapping[str, Any]) -> bool:
        """Whether the report holds it; a figure for which there is nothing to score does not."""
        found = self.find(report)
        if found is None:
            return False
        return found <= self.bound if self.ceiling else found >= self.bound


def read_floors(path: Path, *, benchmark: str) -> tuple[Floor, ...]:
    """Read the floors of a benchmark: tables `[NAME.minimum]` and `[NAME.maximum]`, each with a figure a key.

    Raises DataError where there are none for this benchmark or where one is no number.
    """
    table = read_toml(path).get(benchmark)
    floors = tuple(_floors(table)) if isinstance(table, dict) and table.keys() <= {"minimum", "maximum"} else ()
    if not floors:
        raise DataError(
            f"no floors for {benchmark!r}", path=path, cure=f"Give [{benchmark}.minimum], [{benchmark}.maximum] or both"
        )
    for floor in floors:
        if isinstance(floor.bound, bool) or not isinstance(floor.bound, int | float):
            raise DataError(f"found {floor.bound!r}", path=path, field=floor.figure, cure="Give a number")
    return floors


def _floors(table: Mapping[str, Any]) -> Iterator[Floor]:
    for side in ("minimum", "maximum"):
        figures = table.get(side)
        if isinstance(figures, dict):
            yield from (Floor(figure, bound, ceiling=side == "maximum") for figure, bound in _flat(figures))


def _flat(table: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of a table with what stands under them."""
    if isinstance(table, dict):
        for key, value in table.items():
            yield from _flat(value, f"{prefix}{key}.")
    else:
        yield prefix.removesuffix("."), table
