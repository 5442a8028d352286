"""A trained model as something to call: documents in, spans out, failures beside them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hoidam.checkpoint import LoadedModel, load_model
from hoidam.document import Tagged
from hoidam.errors import HoidamError
from hoidam.ingest.readers import Document, Failure, Item
from hoidam.predict import choose_device

CHUNK_DOCUMENTS = 32
CHUNK_CHARACTERS = 200_000
"""Documents that are tagged together: enough to fill batches of like length, few enough to stream."""


class Tagger:
    """Tags texts and documents with a loaded model."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto", precision: str = "fp32") -> "Tagger":
        """Load a model folder; raises CheckpointError where it cannot be used and RecipeError on an unknown device."""
        return cls(load_model(Path(folder), device=choose_device(device), precision=precision))

    def __call__(self, texts: Sequence[str]) -> list[Tagged]:
        """Tag texts; ids count from 0, and offsets are code points of each text as it was given."""
        return self._tag([Document(str(index), text, "") for index, text in enumerate(texts)])

    def tag(self, items: Iterable[Item], *, together: int | None = None) -> Iterator[tuple[Document, Tagged] | Failure]:
        """Tag a stream of documents in order, so many `together`; failures of reading pass, those of tagging join."""
        for chunk in _chunks(items, together or CHUNK_DOCUMENTS):
            documents = [item for item in chunk if isinstance(item, Document)]
            results = iter(self._tag_or_fail(documents))
            for item in chunk:
                yield item if isinstance(item, Failure) else next(results)

    def _tag_or_fail(self, documents: Sequence[Document]) -> list[tuple[Document, Tagged] | Failure]:
        try:
            return list(zip(documents, self._tag(documents), strict=True))
        except HoidamError as error:
            if len(documents) == 1:
                return [Failure(documents[0].id, documents[0].source, str(error))]
            return [result for document in documents for result in self._tag_or_fail([document])]

    def _tag(self, documents: Sequence[Document]) -> list[Tagged]:
        predictions = self.model.predictor.predict(
            [document.text for document in documents], bodies=[document.body for document in documents]
        )
        return [
            self.model.settings.decide(prediction).tagged(
                document.id, source=document.source, model=self.model.identity
            )
            for document, prediction in zip(documents, predictions, strict=True)
        ]


def _chunks(items: Iterable[Item], documents: int) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    characters = 0
    for item in items:
        chunk.append(item)
        characters += len(item.text) if isinstance(item, Document) else 0
        if len(chunk) >= documents or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
