"""Model folders: the same scores after saving and loading, and one error, with path and cure, for all that is wrong."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from hoidam.checkpoint import (
    CARD_NAME,
    FORMAT,
    SETTINGS_NAME,
    WEIGHTS_NAME,
    ModelSettings,
    describe_hardware,
    export_model,
    load_model,
    read_settings,
    save_model,
)
from hoidam.errors import CheckpointError, DataError, HoidamError
from hoidam.labels import LabelScheme, SpanType
from hoidam.predict import Calibration, ScoreMap, Thresholds

CPU = "cpu"
TOKENIZER_FILES = {
    "bert_folder": {"tokenizer.json", "tokenizer_config.json"},
    "phobert_folder": {"vocab.txt", "bpe.codes", "tokenizer_config.json", "added_tokens.json"},
}


def settings_for(scheme, **changes):
    settings = ModelSettings(
        name="tiny",
        scheme=scheme,
        segmenter="none",
        segmenter_version="",
        window_size=96,
        window_overlap=24,
        calibration=Calibration(dict.fromkeys(scheme.type_names, ScoreMap(1.5, -0.5)), ScoreMap(2.0)),
        thresholds=Thresholds(dict.fromkeys(scheme.type_names, 0.25), 0.5),
    )
    return dataclasses.replace(settings, **changes)


def save(folder, predictor, **options):
    settings = options.pop("settings", settings_for(predictor.scheme))
    folder.mkdir()
    tokenizer = predictor.encoder.pieces._tokenizer
    save_model(
        folder, model=predictor.network.model, tokenizer=tokenizer, settings=settings, card="# A card\n", **options
    )
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory, bert_folder):
    return save(tmp_path_factory.mktemp("models") / "saved", tiny.predictor(bert_folder, tiny.SCHEME))


@pytest.fixture
def broken(saved, tmp_path):
    """A copy of a model folder, to be spoilt."""
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    return folder


def refused(folder, *, path, **options):
    """The message of the one error that loading raises; it names the path and a cure, on one line, without a cause."""
    with pytest.raises(HoidamError) as caught:
        load_model(folder, device=CPU, **options)
    message = str(caught.value)
    assert isinstance(caught.value, CheckpointError)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    cures = ("Copy the folder again", "Train one with", "Install the ", "Use the labels")
    assert any(f". {cure}" in message for cure in cures), message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message


@pytest.mark.parametrize("name", TOKENIZER_FILES)
@pytest.mark.parametrize("scheme", [tiny.SCHEME, tiny.PLAIN_SCHEME], ids=["categories", "plain"])
def test_a_loaded_model_scores_as_the_saved_one_did(name, scheme, request, tmp_path):
    before = tiny.predictor(request.getfixturevalue(name), scheme)
    folder = save(tmp_path / "model", before)
    loaded = load_model(folder, device=CPU, scheme=scheme)
    texts = [tiny.TEXT, "Ông A", "", tiny.TEXT[:300] + "\nxyz 中文"]
    first, second = [p.score([p.read(text).encoded for text in texts]) for p in (before, loaded.predictor)]
    for left, right in zip(first, second, strict=True):
        for key in ("tags", "categories", "article"):
            np.testing.assert_array_equal(getattr(left, key), getattr(right, key))
    assert before.predict(texts) == loaded.predictor.predict(texts)
    assert loaded.settings == settings_for(scheme)
    assert not loaded.predictor.network.model.training
    assert loaded.identity.startswith("tiny@")


@pytest.mark.parametrize("name", TOKENIZER_FILES)
def test_a_folder_holds_these_files_and_no_others_and_none_of_them_is_code_or_pickle(name, request, tmp_path):
    folder = save(tmp_path / "model", tiny.predictor(request.getfixturevalue(name), tiny.SCHEME))
    names = {path.name for path in folder.iterdir()}
    assert names == {SETTINGS_NAME, WEIGHTS_NAME, CARD_NAME, "config.json"} | TOKENIZER_FILES[name]
    assert (folder / CARD_NAME).read_text() == "# A card\n"
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o444 == 0o444
        assert path.suffix not in {".bin", ".pt", ".pth", ".pkl", ".pickle", ".py"}
        content = path.read_bytes()
        assert not content.startswith((b"\x80", b"PK"))
        if path.name != WEIGHTS_NAME:
            content.decode("utf-8")
    tensors = load_file(folder / WEIGHTS_NAME)
    assert {values.dtype for values in tensors.values()} == {torch.float32}


def test_a_saved_folder_can_be_moved_and_loaded_from_there(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "elsewhere")
    assert load_model(tmp_path / "elsewhere", device=CPU).identity == load_model(saved, device=CPU).identity


@pytest.mark.parametrize(("storage", "share", "off"), [("float16", 0.6, 0.02), ("int8", 0.4, 0.3)])
def test_compact_weights_are_smaller_and_nearly_keep_the_scores(storage, share, off, bert_folder, saved, tmp_path):
    before = tiny.predictor(bert_folder, tiny.SCHEME)
    folder = save(tmp_path / "compact", before, storage=storage)
    assert (folder / WEIGHTS_NAME).stat().st_size < share * (saved / WEIGHTS_NAME).stat().st_size
    loaded = load_model(folder, device=CPU)
    assert {values.dtype for values in loaded.predictor.network.model.parameters()} == {torch.float32}
    texts = [before.read(tiny.TEXT).encoded]
    (left,), (right,) = before.score(texts), loaded.predictor.score(texts)
    np.testing.assert_allclose(left.tags, right.tags, atol=off)
    assert (left.tags != right.tags).any()


@pytest.mark.parametrize("name", TOKENIZER_FILES)
def test_an_exported_model_is_whole_and_its_card_says_more(name, request, tmp_path):
    before = save(tmp_path / "model", tiny.predictor(request.getfixturevalue(name), tiny.SCHEME))
    export_model(before, tmp_path / "small", form="int8", sections={"Scores": "good\n"})
    assert {path.name for path in (tmp_path / "small").iterdir()} == {path.name for path in before.iterdir()}
    assert (
        tmp_path / "small" / CARD_NAME
    ).read_text() == "# small\n\n## Weights\n\nStored as int8.\n\n## Scores\n\ngood\n"
    first, second = load_model(before, device=CPU), load_model(tmp_path / "small", device=CPU)
    assert dataclasses.replace(first.settings, name="small") == second.settings
    assert first.identity != second.identity
    export_model(tmp_path / "small", tmp_path / "again", form="float32")
    assert (tmp_path / "again" / CARD_NAME).read_text() == "# again\n\n## Weights\n\nStored as float32.\n"
    third = load_model(tmp_path / "again", device=CPU)
    for name, value in second.predictor.network.model.state_dict().items():
        assert torch.equal(value, third.predictor.network.model.state_dict()[name]), name


def test_a_model_is_not_exported_over_something_else_nor_from_a_changed_one(saved, broken, tmp_path):
    (tmp_path / "mine").mkdir()
    for force in (False, True):
        with pytest.raises(DataError, match=r"mine: (exists already|is no model's folder)"):
            export_model(saved, tmp_path / "mine", form="int8", force=force)
    (broken / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not the file that"):
        export_model(broken, tmp_path / "other", form="int8")
    export_model(saved, tmp_path / "cardless", form="int8")
    (tmp_path / "cardless" / CARD_NAME).unlink()
    with pytest.raises(CheckpointError, match=r"cardless: no model could be loaded .*Copy the folder again"):
        export_model(tmp_path / "cardless", tmp_path / "other", form="int8")
    assert not (tmp_path / "other").exists()
    export_model(saved, tmp_path / "model", form="int8", force=True)
    load_model(tmp_path / "model", device=CPU)


def test_a_model_with_fewer_layers_is_loaded_with_as_many(bert_folder, tmp_path):
    from hoidam.model import TaggerModel, load_encoder

    model = TaggerModel(load_encoder(str(bert_folder), layers=1), types=4, categories=3)
    before = tiny.predictor(bert_folder, tiny.SCHEME, model=model.eval())
    loaded = load_model(save(tmp_path / "model", before), device=CPU)
    assert len(loaded.predictor.network.model.encoder.encoder.layer) == 1
    assert before.predict([tiny.TEXT]) == loaded.predictor.predict([tiny.TEXT])


def test_settings_survive_the_file(saved):
    settings, hashes = read_settings(saved)
    assert settings == settings_for(tiny.SCHEME)
    assert ModelSettings.from_dict(settings.to_dict()) == settings
    assert set(hashes) == {path.name for path in saved.iterdir()} - {SETTINGS_NAME, CARD_NAME}
    assert {len(hash_) for hash_ in hashes.values()} == {64}


def test_a_missing_folder_and_an_empty_one_are_told_apart(tmp_path):
    assert "no such folder" in refused(tmp_path / "none", path=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no model here" in refused(tmp_path / "empty", path=tmp_path / "empty")


@pytest.mark.parametrize("name", [WEIGHTS_NAME, "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_missing_file_is_named(broken, name):
    (broken / name).unlink()
    assert "missing" in refused(broken, path=broken / name)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_changed_file_is_named(broken, name):
    content = bytearray((broken / name).read_bytes())
    content[len(content) // 2] ^= 1
    (broken / name).write_bytes(content)
    assert f"not the file that {SETTINGS_NAME} names" in refused(broken, path=broken / name)


def test_weights_of_another_seed_are_refused(broken):
    tensors = load_file(broken / WEIGHTS_NAME)
    tensors["tag_head.bias"] += 1
    save_file(tensors, broken / WEIGHTS_NAME)
    refused(broken, path=broken / WEIGHTS_NAME)


def test_the_card_may_be_edited(broken):
    (broken / CARD_NAME).write_text("another card")
    load_model(broken, device=CPU)


def change(folder, path, value):
    """Set one value of hoidam.json, named by its keys; None removes it."""
    file = folder / SETTINGS_NAME
    data = json.loads(file.read_text(encoding="utf-8"))
    *outer, last = path
    inner = data
    for key in outer:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    file.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["format"], None),
        (["name"], 5),
        (["labels"], None),
        (["labels"], [1]),
        (["labels"], {"types": []}),
        (["labels", "types"], [{"name": "WHO"}, {"name": "WHO"}]),
        (["segmenter"], "none"),
        (["segmenter", "version"], 1),
        (["window", "size"], "96"),
        (["window", "overlap"], None),
        (["calibration"], {}),
        (["calibration", "spans"], None),
        (["calibration", "spans", "WHO"], 1.0),
        (["calibration", "spans", "WHO", "slope"], "1"),
        (["calibration", "spans", "WHO", "slope"], 0),
        (["calibration", "spans", "WHO", "slope"], float("inf")),
        (["calibration", "spans", "WHO", "slant"], 1.0),
        (["calibration", "spans", "WHOM"], {"slope": 1.0, "intercept": 0.0}),
        (["calibration", "categories"], {"slope": 1.0, "intercept": float("nan")}),
        (["calibration", "article"], {"slope": 1.0, "intercept": 0.0}),
        (["thresholds"], [0.5]),
        (["thresholds", "spans"], [0.5]),
        (["thresholds", "spans", "WHO"], "0.5"),
        (["thresholds", "spans", "WHOM"], 0.5),
        (["thresholds", "categories"], "high"),
        (["thresholds", "article"], "high"),
        (["thresholds", "more"], 1),
        (["sha256"], None),
        (["sha256"], 1),
    ],
    ids=json.dumps,
)
def test_settings_of_another_form_are_refused(broken, path, value):
    change(broken, path, value)
    assert "not a model's settings" in refused(broken, path=broken / SETTINGS_NAME)


@pytest.mark.parametrize("content", [b"", b'{"format": 1, "na', b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_settings_that_are_cut_off_or_no_json_object_are_refused(broken, content):
    (broken / SETTINGS_NAME).write_bytes(content)
    refused(broken, path=broken / SETTINGS_NAME)


def test_settings_cut_off_anywhere_are_refused(broken):
    content = (broken / SETTINGS_NAME).read_bytes().rstrip()
    for end in range(0, len(content), 97):
        (broken / SETTINGS_NAME).write_bytes(content[:end])
        refused(broken, path=broken / SETTINGS_NAME)


def test_a_threshold_may_be_edited_to_any_number(broken):
    change(broken, ["thresholds", "spans", "WHO"], 1)
    assert load_model(broken, device=CPU).settings.thresholds.spans["WHO"] == 1


@pytest.mark.parametrize("found", [FORMAT + 1, 0, "1"])
def test_another_format_is_refused(broken, found):
    change(broken, ["format"], found)
    assert f"format {found}" in refused(broken, path=broken / SETTINGS_NAME)


def test_another_scheme_is_refused_and_other_descriptions_are_not(saved):
    other = LabelScheme((SpanType("WHO"), SpanType("POST"), SpanType("SITE")))
    message = refused(saved, path=saved, scheme=other)
    assert "WHO, POST, SITE, MATTER; 3 categories" in message
    assert "WHO, POST, SITE; 0 categories" in message
    swapped = LabelScheme(tiny.SCHEME.types[::-1], tiny.SCHEME.categories)
    refused(saved, path=saved, scheme=swapped)
    described = tuple(dataclasses.replace(kind, description="reworded") for kind in tiny.SCHEME.types)
    load_model(saved, device=CPU, scheme=LabelScheme(described, tiny.SCHEME.categories))


def test_another_version_of_the_segmenter_is_refused(broken):
    pytest.importorskip("underthesea")
    change(broken, ["segmenter"], {"name": "underthesea", "version": "1.2.3"})
    message = refused(broken, path=broken)
    assert "underthesea 1.2.3" in message
    assert "pip install 'underthesea==1.2.3'" in message


def test_a_segmenter_that_is_not_known_is_refused(broken):
    change(broken, ["segmenter"], {"name": "jieba", "version": "1"})
    assert "'jieba'" in refused(broken, path=broken)


def test_weights_that_do_not_fit_the_settings_are_refused(broken):
    types = [{"name": name} for name in ("WHO", "POST")]
    change(broken, ["labels"], {"types": types, "categories": []})
    change(broken, ["calibration", "spans"], {})
    change(broken, ["thresholds", "spans"], {})
    assert "no model could be loaded" in refused(broken, path=broken)


def test_the_hardware_is_described_by_facts():
    facts = describe_hardware()
    assert set(facts) == {"processor", "threads", "gpu", "python", "torch"}
    assert facts["processor"]
    assert facts["threads"] >= 1
