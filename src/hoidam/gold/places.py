"""Counts of where a corpus' articles take place, by what a gazetteer knows of their mentions."""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoidam.document import Annotated
from hoidam.gazetteer import Gazetteer, Place

REGION_LEVELS = ("province", "prefecture")


@dataclass(frozen=True, slots=True)
class Known:
    """Mentions of one type in one part, and how many the gazetteer has a place for."""

    mentions: int
    known: int

    @property
    def share(self) -> float | None:
        """0 to 1; None where there is no mention."""
        return self.known / self.mentions if self.mentions else None


@dataclass(frozen=True, slots=True)
class Region:
    """A province or prefecture on the border, and the articles by part with a mention that lies in it for certain."""

    place: Place
    articles: Mapping[str, int]

    @property
    def title(self) -> str:
        ended = f" (to {self.place.valid_to})" if self.place.valid_to else ""
        return f"{self.place.unit} {self.place.name}{ended}"


@dataclass(frozen=True, slots=True)
class PlaceStats:
    """Counts of the mentions of one span type against a gazetteer; regions in its order."""

    type: str
    known: Mapping[str, Known]
    """By part."""
    regions: tuple[Region, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; a share is None where there is no mention."""
        return {
            "type": self.type,
            "known": {
                part: {"mentions": known.mentions, "known": known.known, "share": known.share}
                for part, known in self.known.items()
            },
            "regions": {region.place.id: dict(region.articles) for region in self.regions},
        }


def place_stats(parts: Mapping[str, Sequence[Annotated]], *, gazetteer: Gazetteer, place_type: str) -> PlaceStats:
    """Look up every mention of `place_type`, on its article's date where that is an ISO date.

    An article counts for a region when one of its mentions lies in it, or in what it succeeded, whichever place of that
    name is meant: `Phú Ninh`, which two provinces have, counts for neither.
    """
    articles = {name: _articles_by_unit(part, gazetteer, place_type) for name, part in parts.items()}
    regions = (place for place in gazetteer.places.values() if place.border and place.level in REGION_LEVELS)
    return PlaceStats(
        type=place_type,
        known={name: _known(part, gazetteer, place_type) for name, part in parts.items()},
        regions=tuple(
            Region(place, {name: counted[place.id] for name, counted in articles.items()}) for place in regions
        ),
    )


def _articles_by_unit(part: Sequence[Annotated], gazetteer: Gazetteer, place_type: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in part:
        date = _date(one)
        found.update(
            {unit for surface in _surfaces(one, place_type) for unit in gazetteer.units_of(surface, date=date)}
        )
    return found


def _known(part: Sequence[Annotated], gazetteer: Gazetteer, place_type: str) -> Known:
    surfaces = [surface for one in part for surface in _surfaces(one, place_type)]
    return Known(mentions=len(surfaces), known=sum(bool(gazetteer.find(surface)) for surface in surfaces))


def _surfaces(one: Annotated, place_type: str) -> list[str]:
    return [one.article.text[span.start : span.end] for span in one.spans if span.type == place_type]


def _date(one: Annotated) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat((one.article.date or "")[:10])
    except ValueError:
        return None
