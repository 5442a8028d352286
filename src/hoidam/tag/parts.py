"""What a run on a cluster writes: a folder, local or in an object store, in which every file is whole from the start.

- `plan.json`: the settings and the shards, written first. Whoever goes on with the run works by this plan.
- `tagged/part-000000.parquet`: the articles of the first shard, in order, and so on: parts follow the inputs' order.
- `errors/part-000000.jsonl`: its failures, where there are any.
- `done/part-000000.json`: written after these: the shard is done.
- `manifest.json`: what was read and written, with hashes, in place of plan and `done`: the run is whole.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hoidam.errors import DataError
from hoidam.files import json_line
from hoidam.ingest.readers import Failure
from hoidam.ingest.shards import InputFile, Shard
from hoidam.stores import Folder
from hoidam.tag.writers import ParquetWriter

if TYPE_CHECKING:
    from hoidam.tag.tagger import Result

PLAN, MANIFEST = "plan.json", "manifest.json"

_MARKS = {PLAN: {"settings", "shards"}, MANIFEST: {"model", "settings", "inputs", "parts"}}
"""Keys by which a file is known for ours, whatever later versions write beside them: others use these names too."""

_CONNECTIONS = 32
_START_ANEW = "--force begins anew"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: the settings that its results depend on, the input files and their shards, in order."""

    settings: Mapping[str, Any]
    shards: Sequence[Shard]

    @property
    def files(self) -> list[InputFile]:
        """The input files, in order."""
        return list(dict.fromkeys(shard.file for shard in self.shards))

    def to_dict(self) -> dict[str, Any]:
        files = {file: index for index, file in enumerate(self.files)}
        shards = [[files[shard.file], shard.first, shard.start, shard.end] for shard in self.shards]
        return {"settings": dict(self.settings), "files": [asdict(file) for file in files], "shards": shards}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Plan":
        files = [InputFile(**file) for file in data["files"]]
        return cls(data["settings"], [Shard(files[index], *place) for index, *place in data["shards"]])


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, by its path in the folder."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one shard: the file and its line or row `first`, counts, what was written; `errors` where any are.

    `model` is empty where no article was tagged.
    """

    source: str
    first: int
    model: str
    articles: int
    spans: int
    failed: int
    tagged: Written
    errors: Written | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Part":
        errors = None if data["errors"] is None else Written(**data["errors"])
        return cls(**{**data, "tagged": Written(**data["tagged"]), "errors": errors})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a whole run read and wrote, with `model` as its records name it; parts are in the order of the inputs."""

    model: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    articles: int
    spans: int
    failed: int
    inputs: Sequence[Mapping[str, Any]]
    parts: Sequence[Part]


class PartFolder:
    """The folder of a run at `place`, a path or URI."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._folder = Folder(place)

    def check(self, *, resume: bool, force: bool) -> None:
        """Raise DataError where the folder is in the way; `resume` lets a stopped run be, `force` every run."""
        if self._folder.is_empty():
            return
        if self.is_whole():
            if not force:
                raise DataError("is there already, whole", path=self.place, cure=f"Leave it, or {_START_ANEW}")
        elif not self._is_ours(PLAN):
            raise DataError("is not of a run of ours", path=self.place, cure="Give the name of a new folder")
        elif not (resume or force):
            cure = f"--resume goes on with it, {_START_ANEW}"
            raise DataError("a run that was not finished is kept there", path=self.place, cure=cure)

    def is_whole(self) -> bool:
        """Whether the run that wrote here came to its end."""
        return self._is_ours(MANIFEST)

    def plan_to_go_on(self, settings: Mapping[str, Any], files: Sequence[InputFile]) -> Plan | None:
        """The plan of the run here, if there is one; raises DataError where settings or files are not the same."""
        if not self._is_there(PLAN):
            return None
        plan = Plan.from_dict(json.loads(self._folder.read(PLAN)))
        different = [
            key for key in sorted({**plan.settings, **settings}) if plan.settings.get(key) != settings.get(key)
        ]
        if different:
            listed = "; ".join(f"{key}: {plan.settings.get(key)!r}, now {settings.get(key)!r}" for key in different)
            cure = f"Give the same, or {_START_ANEW}"
            raise DataError(f"begun with other settings: {listed}", path=self.place, cure=cure)
        changed = set(plan.files) ^ set(files)
        if changed:
            problem = f"not as it was when the run of {self.place} began"
            cure = f"Give the inputs as they were, or {_START_ANEW}"
            raise DataError(problem, path=min(file.source for file in changed), cure=cure)
        return plan

    def begin(self, plan: Plan) -> None:
        """Begin a run, over what another left here."""
        self._folder.clear(folders=("tagged", "errors", "done"))
        self._write(PLAN, json_line(plan.to_dict()).encode())

    def read_parts(self, plan: Plan) -> dict[int, Part]:
        """What is done of a plan, by the number of the shard, with its files there and as long as they were written."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            parts = pool.map(self._read_part, range(len(plan.shards)))
            return {index: part for index, part in enumerate(parts) if part is not None}

    def _read_part(self, index: int) -> Part | None:
        done = _done(index)
        if not self._is_there(done):
            return None
        part = Part.from_dict(json.loads(self._folder.read(done)))
        files = [file for file in (part.tagged, part.errors) if file is not None]
        sizes = self._folder.sizes([file.path for file in files])
        return part if [file.bytes for file in files] == sizes else None

    def write_part(self, index: int, shard: Shard, results: Iterable["Result"]) -> Part:
        """Write what became of a shard's records; when this returns, the shard is done."""
        table, lines = io.BytesIO(), io.StringIO()
        articles = spans = failed = 0
        model = ""
        with closing(ParquetWriter(table)) as writer:
            for result in results:
                if isinstance(result, Failure):
                    failed += 1
                    lines.write(json_line(result.to_dict()))
                elif isinstance(result, tuple):
                    document, found = result
                    articles, spans, model = articles + 1, spans + len(found.spans), found.model
                    writer.write(found.to_dict(document.text))
        tagged = self._write(f"tagged/{_name(index)}.parquet", table.getvalue())
        errors = self._write(f"errors/{_name(index)}.jsonl", lines.getvalue().encode()) if failed else None
        part = Part(shard.file.source, shard.first, model, articles, spans, failed, tagged, errors)
        self._write(_done(index), json_line(asdict(part)).encode())
        return part

    def finish(self, plan: Plan, parts: Mapping[int, Part], *, versions: Mapping[str, str]) -> Manifest:
        """Write the manifest of a run all of whose shards are done, and take away what it replaces."""
        ordered = [parts[index] for index in range(len(plan.shards))]
        manifest = Manifest(
            model=next((part.model for part in ordered if part.model), ""),
            settings=plan.settings,
            versions=versions,
            articles=sum(part.articles for part in ordered),
            spans=sum(part.spans for part in ordered),
            failed=sum(part.failed for part in ordered),
            inputs=[{"source": file.source, "bytes": file.size} for file in plan.files],
            parts=ordered,
        )
        self._write(MANIFEST, (json.dumps(asdict(manifest), ensure_ascii=False, indent=1) + "\n").encode())
        self._folder.end(files=(PLAN,), folders=("done",))
        return manifest

    def _write(self, path: str, data: bytes) -> Written:
        self._folder.write(path, data)
        return Written(path, len(data), hashlib.sha256(data).hexdigest())

    def _is_ours(self, path: str) -> bool:
        if not self._is_there(path):
            return False
        try:
            found = json.loads(self._folder.read(path))
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and _MARKS[path] <= found.keys()

    def _is_there(self, path: str) -> bool:
        return self._folder.sizes([path]) != [None]


def _name(index: int) -> str:
    return f"part-{index:06}"


def _done(index: int) -> str:
    return f"done/{_name(index)}.json"
