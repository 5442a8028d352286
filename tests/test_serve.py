"""The service: the records of `hoidam tag`, limits that say what to do, many clients at once, an end in order."""

import json
import os
import random
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import generated
import pytest
from service import Client, Service

from hoidam.ingest.readers import Document, Failure
from hoidam.serve.batching import Batcher, QueueFullError
from hoidam.serve.limits import Limits
from hoidam.serve.run import run

JSON = {"Content-Type": "application/json"}


def make_texts(count, *, seed=3):
    return [annotated.article.text for annotated in generated.make_articles("a", count, seed=seed)]


def unsourced(record):
    """A record but for where its article came from, and an error but for the place that it begins with."""
    error = {"error": record["error"].partition(": ")[2]} if "error" in record else {}
    return record | {"source": ""} | error


def test_records_are_those_of_the_batch_command(service, command, model_folder, tmp_path):
    texts = [*make_texts(5), "👨\u200d👩\u200d👧 \ufeff" + make_texts(1)[0].replace("\n", "\r\n"), " \n"]
    path = tmp_path / "feed.jsonl"
    lines = [json.dumps({"id": f"x{n}", "text": text}) for n, text in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    output = tmp_path / "tagged.jsonl"
    command("tag", path, "--model", model_folder, "--output", output)
    written = (output, output.with_name("tagged.jsonl.errors.jsonl"))
    expected = [json.loads(line) for file in written for line in file.read_text(encoding="utf-8").splitlines()]
    status, _, answer = service.post("/tag/many", {"articles": [json.loads(line) for line in lines]})
    assert status == 200
    assert [unsourced(record) for record in answer["articles"]] == [unsourced(record) for record in expected]
    assert [list(record) for record in answer["articles"]] == [list(record) for record in expected]
    assert "empty" in answer["articles"][6]["error"]
    one = service.post("/tag", {"id": "x5", "text": texts[5]})[2]
    assert unsourced(one) == unsourced(expected[5])
    assert one["spans"]
    assert all(texts[5][span["start"] : span["end"]] == span["text"] for span in one["spans"])


def test_articles_without_an_id_are_counted(service):
    answer = service.post("/tag/many", {"articles": [{"text": "a"}, {"text": "b", "id": "own"}, {"text": "c"}]})[2]
    assert [record["id"] for record in answer["articles"]] == ["1", "own", "3"]


@pytest.mark.parametrize(
    ("path", "message", "place", "said"),
    [
        ("/tag", {}, "text", "required"),
        ("/tag", [], "body", "object"),
        ("/tag", {"text": 5}, "text", "string"),
        ("/tag", {"text": "x" * 5001}, "text", "5001 code points. Send at most 5000"),
        ("/tag", {"text": "a\ud800"}, "body", "JSON"),
        ("/tag/many", {"articles": []}, "articles", "at least 1"),
        ("/tag/many", {"articles": [{"text": "a"}, {"text": None}]}, "articles[1].text", "string"),
        ("/tag/many", {"articles": [{"text": "a"}, {"text": "x" * 5001}]}, "articles[1].text", "at most 5000"),
        ("/tag/many", {"articles": [{"text": "a"}] * 9}, "articles", "at most 8"),
        ("/tag/many", {"articles": [{"text": "a", "id": "2"}, {"text": "b"}]}, "articles[0].id", "its own id"),
    ],
)
def test_wrong_fields_are_named_with_what_to_do(service, path, message, place, said):
    status, _, answer = service.post(path, message)
    assert status == 422
    assert answer["mistakes"][0]["place"] == place
    assert answer["error"].startswith(f"{place}: ")
    assert said in answer["error"]
    assert answer["mistakes"][0]["cure"]


def test_a_body_is_read_no_further_than_it_may_be_long_whether_or_not_it_states_its_length(service):
    for body in (b"x" * 60_001, (b"x" * 20_000 for _ in range(4))):
        status, _, answer = service.send("POST", "/tag", body, **JSON)
        assert status == 413
        assert b"60000 bytes" in answer


def test_what_is_not_json_is_refused_so_that_no_foreign_page_can_send_it(service):
    status, _, answer = service.send("POST", "/tag", b'{"text": "a"}', **{"Content-Type": "text/plain"})
    assert status == 415
    assert b"Content-Type: application/json" in answer
    assert service.send("POST", "/tag", b"{", **JSON)[0] == 422
    assert service.send("GET", "/tag")[0] == 405


def test_clients_at_once_get_what_they_would_get_alone_and_are_tagged_together(service):
    texts = make_texts(32, seed=8)
    alone = [service.post("/tag", {"text": text})[2] for text in texts[:6]]
    before = [service.figure(f"hoidam_batch_articles_{name}") for name in ("count", "sum")]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda text: service.post("/tag", {"text": text}), texts))
    assert [status for status, _, _ in answers] == [200] * 32
    assert [answer for _, _, answer in answers[:6]] == alone
    for text, (_, _, answer) in zip(texts, answers, strict=True):
        assert all(text[span["start"] : span["end"]] == span["text"] for span in answer["spans"])
    batches, articles = (
        service.figure(f"hoidam_batch_articles_{name}") - old
        for name, old in zip(("count", "sum"), before, strict=True)
    )
    assert articles == 32
    assert batches < 32


def test_a_client_that_goes_away_harms_nobody(service):
    text = (make_texts(1)[0] * 20)[:4500]
    body = json.dumps({"articles": [{"text": text}] * 8}, ensure_ascii=False).encode()
    head = b"POST /tag/many HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    for sent in (head + body, head + body[:20], b"POST /ta"):
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(sent)
    end = time.monotonic() + 30
    while service.figure('hoidam_requests_total{path="/tag/many",status="499"}') < 2:
        assert time.monotonic() < end
    assert service.post("/tag", {"text": "a"})[0] == 200
    assert service.send("GET", "/readyz")[0] == 200


def test_health_and_description_need_nothing_from_elsewhere(service):
    assert service.send("GET", "/healthz")[::2] == (200, b"ok\n")
    assert service.send("GET", "/docs")[0] == 404
    description = json.loads(service.send("GET", "/openapi.json")[2])
    schema = description["paths"]["/tag/many"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "text" in schema["properties"]["articles"]["items"]["properties"]
    assert "$ref" not in json.dumps(schema)


@pytest.fixture
def narrow(model_folder):
    """A service whose queue and doors are soon full."""
    with Service(model_folder, "--max-waiting", 4, "--max-requests", 3) as running:
        yield running


def test_the_end_waits_for_requests_in_flight_and_full_queues_say_when_to_come_again(narrow):
    many = [{"text": text * 5} for text in make_texts(5)]
    status, _, answer = narrow.post("/tag/many", {"articles": many})
    assert status == 422
    assert "at most 4" in answer["error"]
    with ThreadPoolExecutor(3) as pool:
        # One is tagged, one fills the queue, one finds it full.
        answers = list(pool.map(lambda _: narrow.post("/tag/many", {"articles": many[:4]}), range(12)))
    assert {status for status, _, _ in answers} == {200, 503}
    assert all(
        headers["retry-after"] == "2" and "Come again" in answer["error"]
        for status, headers, answer in answers
        if status == 503
    )
    held = [narrow.connect() for _ in range(3)]
    body = json.dumps({"text": make_texts(1)[0]}).encode()
    for connection in held:
        connection.putrequest("POST", "/tag")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:-1])
    end = time.monotonic() + 30
    while (found := narrow.post("/tag", {"text": "a"}))[0] != 429:
        assert time.monotonic() < end
    assert found[1]["retry-after"] == "2"
    stopped: list[tuple[int, str]] = []
    stopping = threading.Thread(target=lambda: stopped.append(narrow.stop()))
    stopping.start()
    time.sleep(0.3)
    for connection in held:
        connection.send(body[-1:])
    answers = [connection.getresponse() for connection in held]
    assert [answer.status for answer in answers] == [200] * 3
    assert all(json.loads(answer.read())["spans"] for answer in answers)
    stopping.join()
    assert stopped == [(0, "")]


class Slow:
    """Stands where a tagger stands: gives each item back once it is let go, and fails on what is named `bad`."""

    model = SimpleNamespace(identity="slow")

    def __init__(self):
        self.go = threading.Event()
        self.batches = []

    def tag(self, items):
        self.go.wait(10)
        self.batches.append([item.id for item in items])
        if any(item.id == "bad" for item in items):
            raise RuntimeError("broken")
        return items


def run_here(tagger, on_listen):
    """Serve in this thread until a signal comes, and leave its handlers as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        run(tagger, host="127.0.0.1", port=0, limits=Limits(), on_listen=on_listen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_that_comes_with_the_address_ends_it():
    late = threading.Timer(20, os.kill, (os.getpid(), signal.SIGTERM))
    late.start()
    try:
        run_here(Slow(), lambda _: signal.raise_signal(signal.SIGTERM))
        assert late.is_alive(), "the first signal was lost"
    finally:
        late.cancel()


def test_a_fault_is_told_as_json_and_counted():
    tagger = Slow()
    tagger.go.set()
    answers = []

    def talk(address):
        client = Client(address)
        try:
            answers.append(client.post("/tag", {"id": "bad", "text": "a"}))
            answers.append(client.figure('hoidam_requests_total{path="/tag",status="500"}'))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    run_here(tagger, lambda address: threading.Thread(target=talk, args=(address,)).start())
    (status, _, answer), counted = answers
    assert (status, counted) == (500, 1)
    assert answer["error"].startswith("a fault in the service")


def failure(name):
    return Failure(name, "", "")


def test_the_queue_keeps_every_item_its_own_result_whatever_comes_when():
    rng = random.Random(5)
    tagger = Slow()
    tagger.go.set()
    batcher = Batcher(tagger, waiting=10_000)

    def client(number):
        items = [Document(f"{number}-{n}", "x" * rng.randrange(20_000), "") for n in range(rng.randrange(1, 9))]
        return [future.result(10) for future in batcher.submit(items)] == items

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(client, range(300)))
    batcher.close()
    assert max(map(len, tagger.batches)) <= 32
    assert not batcher.is_open


def test_the_queue_is_bounded_leaves_out_who_has_gone_and_outlives_a_fault():
    tagger = Slow()
    batcher = Batcher(tagger, waiting=3)
    [first] = batcher.submit([failure("first")])
    while batcher.depth:
        time.sleep(0.001)
    gone, bad = batcher.submit([failure("gone"), failure("bad")])
    with pytest.raises(QueueFullError):
        batcher.submit([failure("a"), failure("b")])
    assert batcher.depth == 2
    assert gone.cancel()
    tagger.go.set()
    assert first.result(10).id == "first"
    with pytest.raises(RuntimeError):
        bad.result(10)
    [last] = batcher.submit([failure("last")])
    assert last.result(10).id == "last"
    batcher.close()
    assert tagger.batches == [["first"], ["bad"], ["last"]]
    with pytest.raises(QueueFullError):
        batcher.submit([failure("late")])
