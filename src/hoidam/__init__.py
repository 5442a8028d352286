"""Who, where and on what: tagging Vietnamese news about cooperation across a border.

from hoidam import Tagger

tagger = Tagger.load("models/a-model")
for span in tagger("…").spans:
    print(span.type, span.text)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoidam.tag.tagger import Tagger

__all__ = ["Tagger", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the tagger, and with it torch, when it is asked for."""
    if name == "Tagger":
        from hoidam.tag.tagger import Tagger

        return Tagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
