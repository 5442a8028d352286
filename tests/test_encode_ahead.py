"""Segmenting ahead: the words that a segmenter gives, from several processes or from the cache, whatever befalls it."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from hoidam.encode import ahead
from hoidam.encode.ahead import CACHE_FOLDER, cache_folder, segment_ahead
from hoidam.encode.segmenters import load_segmenter
from hoidam.encode.words import split_words
from hoidam.ingest.normalise import normalise


class Counted:
    """A segmenter that counts the lines it is asked for."""

    def __init__(self, name="joining", version="1"):
        self.lines = Counter()
        inner = tiny.joining_segmenter()

        def segment(line):
            self.lines[line] += 1
            return inner.segment(line)

        self.segmenter = replace(inner, name=name, version=version, segment=segment, package=name)


def news(seed, *, texts=20):
    rng = random.Random(seed)
    return [tiny.news_text(rng, sentences=8) for _ in range(texts)]


def lines_of(texts):
    return {line for text in texts for line in text.split("\n") if line.strip()}


def files(folder):
    return sorted(folder.rglob("*.parquet"))


def test_each_line_is_segmented_once_and_in_a_second_run_never(tmp_path):
    texts = news("once")
    first, second = Counted(), Counted()
    for counted in (first, second):
        segmenter = segment_ahead(counted.segmenter, texts, workers=1, folder=tmp_path)
        for text in texts * 2:
            assert split_words(text, segmenter) == split_words(text, tiny.joining_segmenter())
    assert first.lines == Counter(lines_of(texts))
    assert not second.lines


def test_a_grown_corpus_costs_its_new_lines_alone(tmp_path):
    old, new = news("old"), [f"{text}\nThêm một dòng." for text in news("new")]
    segment_ahead(Counted().segmenter, old, workers=1, folder=tmp_path)
    counted = Counted()
    segment_ahead(counted.segmenter, old + new, workers=1, folder=tmp_path)
    assert set(counted.lines) == lines_of(new) - lines_of(old)
    assert len(files(tmp_path)) == 2


def test_a_line_that_was_not_announced_is_segmented_once_when_it_comes(tmp_path):
    counted = Counted()
    segmenter = segment_ahead(counted.segmenter, [], workers=1, folder=tmp_path)
    assert segmenter.segment("Hai bên") == segmenter.segment("Hai bên") == tiny.joining_segmenter().segment("Hai bên")
    assert counted.lines == {"Hai bên": 1}
    assert not files(tmp_path)


def test_another_segmenter_or_version_reads_nothing_of_a_cache(tmp_path):
    texts = news("other")
    segment_ahead(Counted().segmenter, texts, workers=1, folder=tmp_path)
    for other in (Counted(version="2"), Counted(name="other")):
        segment_ahead(other.segmenter, texts, workers=1, folder=tmp_path)
        assert set(other.lines) == lines_of(texts)


@pytest.mark.parametrize("name", ["none", "spaces"])
def test_what_is_quicker_than_a_cache_has_none(name, tmp_path):
    segmenter = load_segmenter(name)
    assert segment_ahead(segmenter, news("none"), workers=4, folder=tmp_path) is segmenter
    assert not list(tmp_path.iterdir())


def test_any_text_comes_back_from_the_cache_as_it_went_in(tmp_path):
    rng = random.Random("nasty")
    texts = [normalise(tiny.nasty_text(rng)).text for _ in range(3000)]
    segment_ahead(Counted().segmenter, texts, workers=1, folder=tmp_path)
    counted = Counted()
    segmenter = segment_ahead(counted.segmenter, texts, workers=1, folder=tmp_path)
    for line in lines_of(texts):
        assert segmenter.segment(line) == tiny.joining_segmenter().segment(line)
    assert not counted.lines


@pytest.mark.parametrize("harm", ["cut", "emptied", "overwritten", "first", "flipped", "last"])
def test_a_damaged_file_is_made_anew_with_a_line_that_says_so(harm, tmp_path, capsys):
    texts = news("harm")
    segment_ahead(Counted().segmenter, texts, workers=1, folder=tmp_path)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    harmed = {"cut": whole[: len(whole) // 2], "emptied": b"", "overwritten": b"no parquet at all" * 99}
    for name, place in {"first": 0, "flipped": len(whole) // 4, "last": len(whole) - 1}.items():
        harmed[name] = whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :]
    path.write_bytes(harmed[harm])
    counted = Counted()
    segmenter = segment_ahead(counted.segmenter, texts, workers=1, folder=tmp_path)
    told = capsys.readouterr().err
    assert str(path) in told
    assert "damaged" in told
    assert told.count("\n") == 1
    assert counted.lines == Counter(lines_of(texts))
    assert all(segmenter.segment(line) == tiny.joining_segmenter().segment(line) for line in lines_of(texts))
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, capsys):
    (tmp_path / "segmented").write_text("in the way")
    counted = Counted()
    segmenter = segment_ahead(counted.segmenter, ["Hai bên"], workers=1, folder=tmp_path)
    assert segmenter.segment("Hai bên") == tiny.joining_segmenter().segment("Hai bên")
    assert counted.lines == {"Hai bên": 1}
    assert "not kept" in capsys.readouterr().err


def test_runs_that_share_a_cache_do_each_other_no_harm(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ahead, "_FILE_LINES", 7)
    texts = news("shared", texts=20)

    def run(seed):
        mine = random.Random(seed).sample(texts, 12)
        segmenter = segment_ahead(Counted().segmenter, mine, workers=1, folder=tmp_path)
        return all(segmenter.segment(line) == tiny.joining_segmenter().segment(line) for line in lines_of(mine))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(24)))
    assert capsys.readouterr().err == ""
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".parquet"]


def test_what_a_stopped_run_has_segmented_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "_FILE_LINES", 10)
    texts = [f"Dòng thứ {number}." for number in range(25)]
    counted = Counted()
    inner = counted.segmenter.segment

    def stopping(line):
        if line == texts[24]:
            raise KeyboardInterrupt
        return inner(line)

    with pytest.raises(KeyboardInterrupt):
        segment_ahead(replace(counted.segmenter, segment=stopping), texts, workers=1, folder=tmp_path)
    resumed = Counted()
    segment_ahead(resumed.segmenter, texts, workers=1, folder=tmp_path)
    assert list(resumed.lines) == texts[20:]


@pytest.mark.parametrize("name", ["spaces", pytest.param("pyvi", marks=pytest.mark.slow)])
def test_processes_load_a_segmenter_by_its_name_and_give_the_same_words_in_their_order(name, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "_PROCESS_LINES", 20)
    monkeypatch.setattr(ahead, "_TASK_LINES", 3)
    if name == "pyvi":
        pytest.importorskip(name, reason="an extra that `make setup` leaves out")
    real = load_segmenter(name)
    texts = [f"Dòng thứ {number}: hội đàm giữa hai huyện." for number in range(50)]

    def never(line):
        raise AssertionError("the caller's own segmenter was asked")

    segmenter = segment_ahead(replace(real, segment=never, package=name), texts, workers=2, folder=tmp_path)
    assert [segmenter.segment(line) for line in texts] == [real.segment(line) for line in texts]


def test_the_folder_is_the_named_one_or_the_platforms(monkeypatch):
    monkeypatch.setenv(CACHE_FOLDER, "given")
    assert cache_folder() == Path("given")
    monkeypatch.delenv(CACHE_FOLDER)
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == Path("/caches/hoidam")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "hoidam"
