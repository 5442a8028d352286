"""A trained model as something to call: documents in, spans out, failures beside them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import overload

from hoidam.checkpoint import LoadedModel, load_model
from hoidam.cores import usable_cores
from hoidam.document import Tagged, TaggedText
from hoidam.encode.batches import Batch
from hoidam.errors import HoidamError
from hoidam.ingest.readers import Document, Duplicate, Failure, Item
from hoidam.networks import Network, NetworkScores
from hoidam.tag.workers import Ask, ordered_map

CHUNK_DOCUMENTS = 32
CHUNK_CHARACTERS = 200_000
"""Documents that are tagged together: enough to fill batches of like length, few enough to stream."""

FEW_DOCUMENTS = 256
"""Up to so many, starting workers takes longer than they save."""
MOST_WORKERS = 16
"""Processes that are started without being asked for; each holds a model, some 0.5 GB with torch."""

Result = tuple[Document, Tagged] | Failure | Duplicate


class Tagger:
    """Tags texts and documents with a loaded model; many threads may call it at once."""

    def __init__(self, model: LoadedModel, *, start: "_Start | None" = None, workers: int | None = 1) -> None:
        self.model = model
        self._start = start
        self._workers = workers

    @classmethod
    def load(
        cls, folder: Path | str, *, device: str = "auto", precision: str = "auto", workers: int | None = 1
    ) -> "Tagger":
        """Load a model folder.

        `precision` is fp32, bf16, or auto for what is fastest here. With `workers` above 1, `tag` spreads its work over
        so many processes; with None it starts as many as there are cores, once there is enough to tag. Whatever is
        chosen but for the precision, results are the same. Raises CheckpointError where the folder cannot be used and
        RecipeError on a device that is not there.
        """
        start = _Start(Path(folder), device, precision)
        return cls(start.load(), start=start, workers=workers)

    @overload
    def __call__(self, texts: str) -> TaggedText: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, texts: Iterable[str]) -> list[TaggedText]: ...

    def __call__(self, texts: str | Iterable[str]) -> TaggedText | list[TaggedText]:
        """Tag one text, or many; ids count from 0, and offsets are code points of each text as it was given."""
        if isinstance(texts, str):
            [tagged] = self([texts])
            return tagged
        documents = [Document(str(index), text, "") for index, text in enumerate(texts)]
        found = self._tag(documents)
        return [TaggedText.of(tagged, document.text) for document, tagged in zip(documents, found, strict=True)]

    def tag(self, items: Iterable[Item], *, together: int | None = None) -> Iterator[Result]:
        """Tag a stream of documents in order, so many `together`; all else passes, and failures of tagging join it."""
        items = iter(items)
        first: list[Item] = []
        workers = self._workers
        if workers is None:
            first = list(islice(items, FEW_DOCUMENTS + 1))
            workers = min(usable_cores(), MOST_WORKERS) if len(first) > FEW_DOCUMENTS else 1
        chunks = _chunks(chain(first, items), together or CHUNK_DOCUMENTS)
        for results in self._in_processes(chunks, workers) if workers > 1 else map(self.tag_chunk, chunks):
            yield from results

    def _in_processes(self, chunks: Iterable[list[Item]], workers: int) -> Iterator[list[Result]]:
        if self._start is None:
            raise ValueError("workers load the model themselves: make the tagger with Tagger.load")
        network = self.model.predictor.network
        remote = partial(_RemoteNetwork, network.batch_pieces, network.device, network.description)
        start = _Worker(
            self._start,
            threads=max(1, usable_cores() // workers),
            remote=None if network.device == "cpu" else remote,
        )
        return ordered_map(start, chunks, workers=workers, answer=network.score)

    def tag_chunk(self, chunk: Sequence[Item]) -> list[Result]:
        """Tag some items together, in order."""
        results = iter(self._tag_or_fail([item for item in chunk if isinstance(item, Document)]))
        return [next(results) if isinstance(item, Document) else item for item in chunk]

    def _tag_or_fail(self, documents: Sequence[Document]) -> list[Result]:
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


@dataclass(frozen=True, slots=True)
class _Start:
    """What a model is loaded by, here and in every worker."""

    folder: Path
    device: str
    precision: str

    def load(self, *, threads: int | None = None, network: Network | None = None) -> LoadedModel:
        return load_model(self.folder, device=self.device, precision=self.precision, threads=threads, network=network)


@dataclass(frozen=True, slots=True)
class _Worker:
    """Starts a worker: a whole tagger on a CPU; beside a GPU, one whose network is the starting process's own."""

    start: _Start
    threads: int
    remote: "Callable[[Ask], _RemoteNetwork] | None"

    def __call__(self, ask: Ask) -> Callable[[list[Item]], list[Result]]:
        network = self.remote(ask) if self.remote else None
        return Tagger(self.start.load(threads=self.threads, network=network)).tag_chunk


@dataclass(frozen=True, slots=True)
class _RemoteNetwork:
    """The network of another process, which has the GPU to itself while many read for it."""

    batch_pieces: int
    device: str
    description: str
    ask: Ask
    threads: int = 1

    def score(self, batch: Batch) -> NetworkScores:
        """Have a batch scored there."""
        scores: NetworkScores = self.ask(batch)
        return scores


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
