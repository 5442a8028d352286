"""The card of a model, rendered from recorded facts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from hoidam.checkpoint import ModelSettings
from hoidam.errors import DataError
from hoidam.evaluate import find_report, read_report, render_summary
from hoidam.files import read_text

_TEMPLATE = """\
# {{ settings.name }}

{{ recipe.description or "A model that tags Vietnamese articles." }}

| | |
|---|---|
| encoder | `{{ recipe.encoder.name }}`, {% if recipe.encoder.keep_layers -%}
layers {{ recipe.encoder.keep_layers | join(", ") }} kept, {% endif -%}
{{ recipe.encoder.frozen_layers }} layers frozen |
{% if facts.get("teacher") -%}
| teacher | {{ facts.teacher }}, {{ recipe.teacher.weight }} of the loss, temperature {{ recipe.teacher.temperature }} |
{% endif -%}
| words | {% if settings.segmenter == "none" %}syllables
{%- else %}{{ settings.segmenter }} {{ settings.segmenter_version }}{% endif %} |
| windows | {{ settings.window_size }} pieces, {{ settings.window_overlap }} overlapping |
| span types | {{ settings.scheme.type_names | join(", ") }} |
| categories | {{ settings.scheme.category_names | join(", ") or "none" }} |
| trained on | {{ facts.train_articles }} articles, {{ facts.train_pieces }} pieces, {{ facts.epochs_run }} epochs |
{% if facts.averaged_seeds is defined -%}
| weights | the mean of {{ facts.averaged_seeds | length }} runs, seeds {{ facts.averaged_seeds | join(", ") }} |
{% endif -%}
| took | {{ facts.seconds }} s {% if facts.resumed | default(false) %}since it was resumed {% endif -%}
on {{ facts.hardware.gpu or facts.hardware.processor }}, {{ facts.precision }}
{%- if facts.processes | default(1) > 1 %}, {{ facts.processes }} processes{% endif %} |
| command | `{{ facts.command }}` |
| commit | {{ facts.commit or "unknown" }} |
| hoidam | {{ facts.hoidam }} |

Use: `hoidam tag ARTICLES --model FOLDER`. The weights are safetensors; nothing in this folder is executed.

Data, by SHA-256:

{% for path, hash in facts.data_sha256.items() -%}
- `{{ path }}` {{ hash }}
{% endfor %}
## Scores on dev

Calibration, thresholds and the best epoch were chosen on these articles, so expect somewhat less on others.

{{ scores }}
"""


def render_card(settings: ModelSettings, *, provenance: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Markdown that says what the model is, what it learnt from and how, and how well it does on dev."""
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
    template = environment.from_string(_TEMPLATE)
    return template.render(
        settings=settings, recipe=provenance["recipe"], facts=provenance, scores=_demoted(render_summary(report))
    )


def card_sections(reports: Sequence[Path], *, notes: Path | None = None) -> dict[str, str]:
    """Sections for a card, Markdown by heading: what a file of notes says, and the reports in folders, by their names.

    Raises DataError where the notes cannot be read, a folder has no report, or two have one name.
    """
    for folder in reports:
        if sum(folder.name == other.name for other in reports) > 1:
            raise DataError("another report's folder has this name", path=folder, cure="Rename one of the two")
    sections = {} if notes is None else {"Use and limits": read_text(notes)}
    return sections | {
        f"Scores: {folder.name}": _demoted(render_summary(read_report(find_report(folder)))) for folder in reports
    }


def _demoted(markdown: str) -> str:
    """The Markdown without its first heading, and every other heading one level further down."""
    lines = markdown.split("\n")
    kept = lines[1:] if lines[0].startswith("# ") else lines
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in kept).strip()
