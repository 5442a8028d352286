"""What a search varies: settings of a recipe and the values that they may take."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hoidam.errors import RecipeError
from hoidam.train.recipe import Recipe, change_recipe, parse_value, settings

_RANGE = re.compile(r"([^:,]+):([^:,]+)(:log)?")


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting that takes one of `values`, between which there is no order."""

    key: str
    values: tuple[bool | int | float | str, ...]

    def draw(self, trial: Any) -> Any:
        """The setting's value in an Optuna trial."""
        return trial.suggest_categorical(self.key, self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """A setting from the first to the last of `values`, both included; whole numbers where both are; `log` evenly."""

    key: str
    values: tuple[float, float]
    log: bool

    def draw(self, trial: Any) -> Any:
        """The setting's value in an Optuna trial."""
        suggest = trial.suggest_int if all(type(value) is int for value in self.values) else trial.suggest_float
        return suggest(self.key, *self.values, log=self.log)


def read_varied(texts: Sequence[str], *, recipe: Recipe) -> list[Choice | Range]:
    """Read `key=low:high`, `key=low:high:log` and `key=a,b,c`.

    Raises RecipeError on what is written otherwise, a key given twice, a value that the recipe cannot take, and on
    data: scores on other articles do not compare.
    """
    if not texts:
        raise RecipeError("--vary: nothing to search. Give one, such as --vary training.learning_rate=1e-5:5e-4:log")
    found = [_read(text, recipe) for text in texts]
    for number, varied in enumerate(found):
        if varied.key in {other.key for other in found[:number]}:
            raise RecipeError(f"--vary {varied.key}: given twice. Give each key once")
    return found


def _read(text: str, recipe: Recipe) -> Choice | Range:
    def wrong(problem: str) -> RecipeError:
        return RecipeError(f"--vary {text}: {problem}")

    key, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not key or not values:
        raise wrong("write it as key=low:high, key=low:high:log or key=a,b,c")
    if key.startswith("data."):
        raise wrong("scores on other articles do not compare. Vary other settings")
    varied = _values(key, values, whole=type(settings(recipe).get(key)) is not float)
    if isinstance(varied, Choice) and not all(isinstance(value, bool | int | float | str) for value in varied.values):
        raise wrong("give single values, with commas between them")
    if isinstance(varied, Range):
        low, high = varied.values
        if not low < high or (varied.log and low <= 0):
            raise wrong("give the lower end first; with :log it is above 0")
    for value in varied.values:
        change_recipe(recipe, {key: value}, source=f"--vary {text}")
    return varied


def _values(key: str, text: str, *, whole: bool) -> Choice | Range:
    match = _RANGE.fullmatch(text)
    ends = [parse_value(end.strip()) for end in match.group(1, 2)] if match else []
    if match and all(type(end) in (int, float) for end in ends):
        low, high = ends if whole else map(float, ends)
        return Range(key, (low, high), log=bool(match[3]))
    return Choice(key, tuple(parse_value(value.strip()) for value in text.split(",")))
