"""Tagging schemes: what is written reads back, seqeval reads the same, broken rows are read as conlleval reads them."""

import random
from collections import Counter

import pytest
from seqeval import scheme as seqeval_schemes
from seqeval.metrics.sequence_labeling import get_entities

from hoidam.errors import DataError
from hoidam.gold.tagging import NO_BEGINNING, NO_END, TAGGINGS, Chunk, read_tags, write_tags

ALLOWED = {"bio": "BI", "iob1": "BI", "ioe1": "IE", "ioe2": "IE", "iobes": "BIES", "bilou": "BILU", "io": "I"}
# seqeval's own comment says that its IOE1 does not handle all cases.
STRICT = {
    "bio": seqeval_schemes.IOB2,
    "iob1": seqeval_schemes.IOB1,
    "ioe2": seqeval_schemes.IOE2,
    "iobes": seqeval_schemes.IOBES,
    "bilou": seqeval_schemes.BILOU,
}


def random_chunks(rng, length, *, apart=False):
    chunks, place = [], 0
    while place < length:
        label = rng.choice(["LOC", "PER", "A-B"])
        end = min(length, place + rng.randint(1, 4))
        if rng.random() < 0.6 and not (apart and chunks and chunks[-1][1:] == (place, label)):
            chunks.append(Chunk(place, end, label))
            place = end
        else:
            place += 1
    return chunks


def random_tags(rng, tagging):
    tags = ["O", *(f"{letter}-{label}" for letter in ALLOWED[tagging] for label in ("LOC", "PER"))]
    return [rng.choice(tags) for _ in range(rng.randint(1, 10))]


def read(tags, tagging):
    flaws = Counter()
    return read_tags(tags, tagging=tagging, flaws=flaws), dict(+flaws)


@pytest.mark.parametrize("tagging", TAGGINGS)
def test_what_is_written_reads_back_without_a_flaw(tagging):
    rng = random.Random(1)
    for _ in range(3000):
        length = rng.randint(0, 12)
        chunks = random_chunks(rng, length, apart=tagging == "io")
        tags = write_tags(rng.sample(chunks, len(chunks)), length=length, tagging=tagging)
        assert len(tags) == length
        assert read(tags, tagging) == (chunks, {})


@pytest.mark.parametrize("tagging", STRICT)
def test_seqeval_reads_what_is_written_the_same_in_its_strict_mode(tagging):
    rng = random.Random(2)
    for _ in range(3000):
        length = rng.randint(1, 12)
        chunks = random_chunks(rng, length)
        tags = write_tags(chunks, length=length, tagging=tagging)
        found = seqeval_schemes.Tokens(tags, STRICT[tagging]).entities
        assert [(entity.start, entity.end, entity.tag) for entity in found] == chunks


@pytest.mark.parametrize("tagging", TAGGINGS)
def test_any_row_is_read_as_conlleval_reads_it(tagging):
    rng = random.Random(3)
    for _ in range(3000):
        tags = random_tags(rng, tagging)
        letters = [tag.replace("U-", "S-").replace("L-", "E-") for tag in tags]
        assert read(tags, tagging)[0] == [(start, end + 1, label) for label, start, end in get_entities(letters)]


@pytest.mark.parametrize("tagging", sorted(STRICT.keys() - {"iob1"}))
def test_a_flaw_is_counted_just_where_the_strict_reading_differs(tagging):
    rng = random.Random(4)
    for _ in range(3000):
        tags = random_tags(rng, tagging)
        chunks, flaws = read(tags, tagging)
        strict = [(one.start, one.end, one.tag) for one in seqeval_schemes.Tokens(tags, STRICT[tagging]).entities]
        assert (flaws == {}) == (strict == chunks)


@pytest.mark.parametrize(
    ("tagging", "tags", "chunks", "flaws"),
    [
        ("bio", "I-X I-X O", [(0, 2, "X")], {NO_BEGINNING: 1}),
        ("bio", "B-X I-Y I-Y", [(0, 1, "X"), (1, 3, "Y")], {NO_BEGINNING: 1}),
        ("iob1", "I-X B-X O I-X", [(0, 1, "X"), (1, 2, "X"), (3, 4, "X")], {}),
        ("ioe1", "I-X E-X I-X O", [(0, 2, "X"), (2, 3, "X")], {}),
        ("ioe2", "I-X E-X I-Y", [(0, 2, "X"), (2, 3, "Y")], {NO_END: 1}),
        ("iobes", "B-X O S-X E-Y", [(0, 1, "X"), (2, 3, "X"), (3, 4, "Y")], {NO_END: 1, NO_BEGINNING: 1}),
        ("bilou", "B-X I-X L-X U-X", [(0, 3, "X"), (3, 4, "X")], {}),
        ("io", "I-X X O person-name", [(0, 2, "X"), (3, 4, "person-name")], {}),
    ],
)
def test_rows_by_hand(tagging, tags, chunks, flaws):
    assert read(tags.split(), tagging) == (chunks, flaws)


@pytest.mark.parametrize(
    ("tagging", "tag", "message"),
    [
        ("bio", "S-X", r"found the tag 'S-X'.*B-TYPE, I-TYPE and O; S-TYPE is a tag of iobes"),
        ("bio", "B-", "found the tag 'B-'"),
        ("iobes", "NOUN", "found the tag 'NOUN'"),
        ("io", "B-X", "B-TYPE is a tag of bio and iob1"),
        ("io", "", "found the tag ''"),
    ],
)
def test_a_tag_of_another_scheme_is_refused(tagging, tag, message):
    with pytest.raises(DataError, match=message):
        read([tag], tagging)


def test_io_says_that_it_would_join_neighbours():
    chunks = [Chunk(0, 1, "X"), Chunk(1, 2, "X")]
    with pytest.raises(DataError, match="io cannot part two X spans"):
        write_tags(chunks, length=2, tagging="io")
