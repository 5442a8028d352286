"""Networks: precision by what the hardware has, and ONNX files that say what torch says or are not written."""

import json
import shutil
import sys

import generated
import numpy as np
import pytest
import tiny
import torch

from hoidam import checkpoint
from hoidam.checkpoint import ONNX_NAME, SETTINGS_NAME, WEIGHTS_NAME, export_model, load_model
from hoidam.errors import CheckpointError, MissingExtraError, RecipeError
from hoidam.evaluate import Sources
from hoidam.networks.pytorch import TorchNetwork, choose_precision
from hoidam.tag.scoring import refuse_losses
from hoidam.tag.tagger import Tagger

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("avx512", "amx", "precision"),
    [(True, True, "bf16"), (True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")],
)
def test_precision_follows_from_what_the_processor_has(monkeypatch, model_folder, avx512, amx, precision):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert choose_precision("auto", device=CPU) == precision
    network = Tagger.load(model_folder, device="cpu").model.predictor.network
    assert network.description == f"torch {precision} on cpu"
    wanted = torch.bfloat16 if precision == "bf16" else torch.float32
    assert {values.dtype for values in network.model.encoder.parameters()} == {wanted}
    assert {values.dtype for values in network.model.tag_head.parameters()} == {torch.float32}


def test_precision_may_be_told(model_folder):
    for precision in ("fp32", "bf16"):
        assert choose_precision(precision, device=CPU) == precision
    with pytest.raises(RecipeError, match="fp16 needs a GPU"):
        choose_precision("fp16", device=CPU)
    texts = [annotated.article.text for annotated in generated.make_articles("a", 30, seed=8)]
    full, half = (Tagger.load(model_folder, device="cpu", precision=name)(texts) for name in ("fp32", "bf16"))
    one, other = (
        {(result.id, span): span.score for result in found for span in result.spans} for found in (full, half)
    )
    both = one.keys() & other.keys()
    assert len(both) > 0.95 * len(one.keys() | other.keys())
    assert 0 < max(abs(one[span] - other[span]) for span in both) < 0.1


def test_a_network_is_in_eval_mode_on_its_device(bert_folder):
    model = tiny.tagger(bert_folder, tiny.SCHEME).train()
    assert not TorchNetwork(model, device=CPU).model.training


@pytest.fixture(scope="module")
def onnx_folder(tmp_path_factory, model_folder, corpus):
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("models") / "onnx"
    sources = Sources(corpus.labels, (corpus.articles("dev"),), (corpus.gold("dev"),))
    export_model(
        model_folder,
        folder,
        form="onnx",
        check=lambda exported: refuse_losses(sources, model=model_folder, exported=exported),
    )
    return folder


def test_an_onnx_folder_tags_as_the_model_that_it_was_made_of(model_folder, onnx_folder):
    names = {path.name for path in model_folder.iterdir()} - {WEIGHTS_NAME} | {ONNX_NAME}
    assert {path.name for path in onnx_folder.iterdir()} == names
    torch_tagger, onnx_tagger = (
        Tagger.load(folder, device="cpu", precision="fp32") for folder in (model_folder, onnx_folder)
    )
    assert onnx_tagger.model.predictor.network.description == "ONNX Runtime fp32 on cpu"
    assert onnx_tagger.model.identity.startswith("onnx@")
    texts = [annotated.article.text for annotated in generated.make_articles("a", 40, seed=3)]
    texts += ["", "Ông A", "\n".join(texts[:8])]
    spans = 0
    for one, other in zip(torch_tagger(texts), onnx_tagger(texts), strict=True):
        assert one.spans == other.spans
        assert [span.score for span in one.spans] == pytest.approx([span.score for span in other.spans], abs=1e-5)
        assert one.categories == pytest.approx(other.categories, abs=1e-5)
        spans += len(one.spans)
    assert spans > 150


def test_integer_scores_do_not_depend_on_company(phobert_folder, tmp_path):
    pytest.importorskip("onnxruntime")
    from hoidam.networks.onnx import OnnxNetwork, write_onnx
    from hoidam.predict import Predictor

    path = tmp_path / "network.onnx"
    write_onnx(tiny.tagger(phobert_folder, tiny.PLAIN_SCHEME), path, quantise=True)
    encoder = tiny.text_encoder(phobert_folder)
    predictor = Predictor(OnnxNetwork(path, threads=2), encoder=encoder, scheme=tiny.PLAIN_SCHEME)
    assert predictor.network.description == "ONNX Runtime int8 on cpu"
    readings = [predictor.read(text).encoded for text in (tiny.TEXT, "Ông A", "", tiny.TEXT[100:400])]
    together = predictor.score(readings)
    for reading, found in zip(readings, together, strict=True):
        (alone,) = predictor.score([reading])
        for key in ("tags", "categories", "article"):
            np.testing.assert_array_equal(getattr(found, key), getattr(alone, key))
    (plain,) = tiny.predictor(phobert_folder, tiny.PLAIN_SCHEME).score(readings[:1])
    off = np.abs(together[0].tags - plain.tags).max()
    assert 0 < off < 2


def test_an_onnx_folder_says_what_it_cannot_do(onnx_folder, tmp_path, monkeypatch):
    with pytest.raises(RecipeError, match=r"^device: 'cuda', and .*Use auto or cpu$"):
        load_model(onnx_folder, device="cuda")
    with pytest.raises(RecipeError, match=r"^precision: 'bf16', and .*Use auto$"):
        load_model(onnx_folder, precision="bf16")
    with pytest.raises(CheckpointError, match=r"holds no weights .*Give the model that it was made of"):
        export_model(onnx_folder, tmp_path / "other", form="int8")
    spoilt = tmp_path / "spoilt"
    shutil.copytree(onnx_folder, spoilt)
    (spoilt / ONNX_NAME).write_bytes(b"no network")
    record = json.loads((spoilt / SETTINGS_NAME).read_text())
    record["sha256"][ONNX_NAME] = checkpoint.file_sha256(spoilt / ONNX_NAME)
    (spoilt / SETTINGS_NAME).write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"spoilt: no model could be loaded .*Copy the folder again"):
        load_model(spoilt)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hoidam\[onnx\]'"):
        load_model(onnx_folder)


def test_an_onnx_form_is_checked_on_gold(model_folder, onnx_folder, corpus, tmp_path, command):
    refused = command("export", "--model", model_folder, "--format", "onnx", "--output", tmp_path / "kept")
    assert refused.code == 2
    assert "give --benchmark, or --gold and --articles" in " ".join(refused.err.replace("│", "").split())
    assert "Stored as onnx. F1 on 10 articles: WHO " in (onnx_folder / "README.md").read_text(encoding="utf-8")
    found = command("tag", corpus.articles("dev"), "--model", onnx_folder)
    assert found.code == 0
    assert "(ONNX Runtime fp32 on cpu)" in found.err
    assert found.out.count("\n") == len(corpus.dev)


def test_a_spoilt_form_is_refused_and_leaves_nothing(model_folder, corpus, tmp_path, monkeypatch, command):
    pytest.importorskip("onnxruntime")
    write_onnx = checkpoint.write_onnx

    def spoil(model, path, *, quantise):
        with torch.no_grad():
            model.tag_head.bias += torch.tensor([0.0, 4.0, 0.0]).repeat(model.types)
        write_onnx(model, path, quantise=quantise)

    monkeypatch.setattr(checkpoint, "write_onnx", spoil)
    gold = ["--gold", corpus.gold("dev"), "--articles", corpus.articles("dev")]
    words = ["--model", model_folder, "--format", "onnx-int8", "--output", tmp_path / "spoilt"]
    found = command("export", *words, *gold)
    assert found.code == 1
    assert "loses more than 0.002 of mean F1 in this form (WHO " in found.err
    assert found.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
