"""A trained model as a teacher: loaded, held to what its student reads, and asked about every train window once."""

from dataclasses import replace
from pathlib import Path

from datasets import Dataset

from hoidam.checkpoint import LoadedModel, load_model
from hoidam.encode.batches import EncodedWindow
from hoidam.errors import RecipeError
from hoidam.train.corpus import Corpus
from hoidam.train.features import make_features
from hoidam.train.lessons import Lesson, make_lesson
from hoidam.train.setup import Setup
from hoidam.train.together import check_alone


def load_teacher(setup: Setup, *, corpus: Corpus, features: Dataset) -> LoadedModel | None:
    """The teacher that a recipe names, None where it names none.

    Raises CheckpointError where it is no model, or one of other labels, and RecipeError where it does not read the
    train windows as the student does (the same words, the same pieces, no more at once than it is used to) or there are
    several processes.
    """
    folder = setup.recipe.teacher.model
    if not folder:
        return None
    check_alone("training with a teacher")
    teacher = load_model(Path(folder), device=str(setup.device), precision=setup.precision, scheme=corpus.scheme)
    own, its = setup.encoder, teacher.predictor.encoder
    if (own.segmenter.name, own.segmenter.version) != (its.segmenter.name, its.segmenter.version):
        raise RecipeError(
            f"encoder.segmenter: {own.segmenter.name} {own.segmenter.version}, and {folder} reads the words of "
            f"{its.segmenter.name} {its.segmenter.version}. Use the teacher's"
        )
    if own.size > its.size:
        raise RecipeError(f"window.size: {own.size}, and {folder} reads {its.size} pieces. Use {its.size} or fewer")
    as_teacher = make_features(
        corpus.train,
        encoder=replace(own, pieces=its.pieces),
        scheme=corpus.scheme,
        unlabelled=corpus.unlabelled,
    )
    if as_teacher["ids"] != features["ids"]:
        raise RecipeError(
            f"teacher.model: {folder} cuts words into other pieces than {setup.recipe.encoder.name}. "
            "Give a teacher with this tokenizer, or the teacher's folder as encoder.name"
        )
    return teacher


def take_lessons(teacher: LoadedModel, features: Dataset) -> list[Lesson]:
    """What the teacher says of each feature row."""
    categorised = [place for place, kind in enumerate(teacher.settings.scheme.types) if kind.categorised]
    windows = [EncodedWindow(tuple(row["ids"]), tuple(row["piece_words"])) for row in features]
    return [make_lesson(scores, categorised=categorised) for scores in teacher.predictor.score_windows(windows)]
