"""The service's routes: articles in, records out, as `hoidam tag` writes them."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

import hoidam
from hoidam.ingest.readers import Failure, read_record
from hoidam.pages import page_template
from hoidam.serve.batching import Batcher, QueueFullError
from hoidam.serve.limits import Limits
from hoidam.serve.messages import Article, Articles, Mistake, Problem, Record, Records
from hoidam.serve.metrics import Metrics
from hoidam.tag.batch import to_record
from hoidam.tag.tagger import Result, Tagger

RETRY_SECONDS = 2
_CLIENT_GONE = 499
_CURES = {
    "missing": "Give it",
    "json_invalid": 'Send one JSON object in UTF-8, such as {"text": "…"}',
    "too_short": "Give at least one",
}

Message = TypeVar("Message", bound=BaseModel)


class RefusedError(Exception):
    """A request that gets no records but a status and the reason."""

    def __init__(self, status: int, error: str, *, mistakes: Sequence[Mistake] = ()) -> None:
        super().__init__(error)
        self.status, self.error, self.mistakes = status, error, mistakes

    def response(self) -> Response:
        """The answer; it says when to come again where coming again helps."""
        content = Problem(error=self.error, mistakes=list(self.mistakes)).model_dump()
        headers = {"Retry-After": str(RETRY_SECONDS)} if self.status in (429, 503) else None
        return JSONResponse(content, status_code=self.status, headers=headers)


class Service:
    """What the routes share: the queue before the tagger, the limits, the figures."""

    def __init__(self, tagger: Tagger, *, limits: Limits) -> None:
        self.identity = tagger.model.identity
        self.limits = limits
        self.metrics = Metrics(depth=lambda: self.batcher.depth)
        self.batcher = Batcher(tagger, waiting=limits.waiting, on_batch=self.metrics.batches.observe)
        self._requests = 0

    async def answer(self, request: Request, kind: type[Message]) -> list[dict[str, Any]]:
        """The records of a request whose body is a `kind`; raises RefusedError."""
        if self._requests >= self.limits.requests:
            raise RefusedError(429, f"{self._requests} requests are being answered. Come again later")
        self._requests += 1
        try:
            message = _parse(await self._read(request), kind)
            articles = message.articles if isinstance(message, Articles) else [message]
            return await self._tag(request, self._checked(articles, listed=isinstance(message, Articles)))
        except ClientDisconnect:
            raise RefusedError(_CLIENT_GONE, "the client went away") from None
        finally:
            self._requests -= 1

    async def _read(self, request: Request) -> bytes:
        """The body, read no further than it may be long, whatever length the request states."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise RefusedError(415, "the body is not declared as JSON. Send it with Content-Type: application/json")
        limit = self.limits.body_bytes
        too_large = RefusedError(413, f"the body is longer than {limit} bytes. Send fewer articles a request")
        stated = request.headers.get("content-length", "")
        if stated.isdigit() and int(stated) > limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.read_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise too_large
        except TimeoutError:
            raise RefusedError(408, f"the body took longer than {self.limits.read_seconds:g} s to arrive") from None
        return bytes(body)

    def _checked(self, articles: Sequence[Any], *, listed: bool) -> list[Mapping[str, Any]]:
        """Articles as records, each with an id; raises RefusedError on what is too many, too long or named alike."""
        # What no empty queue holds would be told to come again for ever.
        bound, longest = min(self.limits.articles, self.limits.waiting), self.limits.characters
        mistakes = []
        if len(articles) > bound:
            mistakes.append(
                Mistake(place="articles", problem=f"{len(articles)} of them", cure=f"Send at most {bound} a request")
            )
        records = [article.model_dump() | {"id": article.id or str(n)} for n, article in enumerate(articles, start=1)]
        times = Counter(record["id"] for record in records)
        for index, record in enumerate(records):
            place = f"articles[{index}]." if listed else ""
            if (length := len(record["text"])) > longest:
                cure = f"Send at most {longest} an article"
                mistakes.append(Mistake(place=f"{place}text", problem=f"{length} code points", cure=cure))
            if times[record["id"]] > 1:
                problem, cure = f"{record['id']!r} occurs twice", "Give every article its own id"
                mistakes.append(Mistake(place=f"{place}id", problem=problem, cure=cure))
        _refuse(mistakes)
        return records

    async def _tag(self, request: Request, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        items = [read_record(record, name=record["id"], place=f"request:{n}") for n, record in enumerate(records, 1)]
        try:
            futures = self.batcher.submit(items)
        except QueueFullError:
            raise RefusedError(503, f"{self.batcher.depth} articles wait already. Come again later") from None
        work = asyncio.ensure_future(_results(futures))
        gone = asyncio.ensure_future(_disconnect(request))
        either: set[asyncio.Future[Any]] = {work, gone}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientDisconnect
            results = work.result()
        finally:
            # Cancels what has not begun, so that nobody's articles keep others waiting.
            work.cancel()
            gone.cancel()
        for result in results:
            self.metrics.articles.labels("failed" if isinstance(result, Failure) else "tagged").inc()
        return [to_record(result, model=self.identity) for result in results]


def make_app(tagger: Tagger, *, limits: Limits) -> FastAPI:
    """The application around a loaded tagger; its thread ends with the application."""
    service = Service(tagger, limits=limits)
    page = page_template("serve/page.html.jinja").render(longest=limits.characters)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.batcher.close)

    # FastAPI's own pages of documentation load scripts from elsewhere; the description alone is served.
    app = FastAPI(title="Hoidam", version=hoidam.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        start = time.perf_counter()
        status = 500
        try:
            response = await call_next(request)
            status = response.status_code
        finally:
            route = request.scope.get("route")
            service.metrics.requests.labels(getattr(route, "path", "other"), status).inc()
            service.metrics.seconds.observe(time.perf_counter() - start)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> Response:
        return error.response()

    @app.exception_handler(Exception)
    async def fail(_: Request, __: Exception) -> Response:
        return RefusedError(500, "a fault in the service. What it printed says more").response()

    @app.post("/tag", summary="Tag one article", **_described(Article, Record))
    async def tag(request: Request) -> Response:
        [record] = await service.answer(request, Article)
        return JSONResponse(record)

    @app.post("/tag/many", summary="Tag several articles", **_described(Articles, Records))
    async def tag_many(request: Request) -> Response:
        return JSONResponse({"articles": await service.answer(request, Articles)})

    @app.get("/healthz", summary="Whether the process answers", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok\n"

    @app.get("/readyz", summary="Whether articles are taken", response_class=PlainTextResponse)
    async def readyz() -> Response:
        ready = service.batcher.is_open
        return PlainTextResponse("ready\n" if ready else "not ready\n", status_code=200 if ready else 503)

    @app.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return HTMLResponse(page, headers={"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"})

    return app


def _described(kind: type[BaseModel], answer: type[BaseModel]) -> dict[str, Any]:
    """What the description says of a route whose body is read by hand, within its limits."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    nested = schema.pop("$defs", {})
    # One level of nesting is all there is: an article inside its list.
    text = json.dumps(schema)
    for name, definition in nested.items():
        text = text.replace(json.dumps({"$ref": f"#/components/schemas/{name}"}), json.dumps(definition))
    body = {"required": True, "content": {"application/json": {"schema": json.loads(text)}}}
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": reason}
        for status, reason in {
            408: "The body took too long",
            413: "The body is too long",
            415: "Not JSON",
            422: "Fields are wrong; `mistakes` says which",
            429: "Too many requests at once; see Retry-After",
            500: "A fault in the service",
            503: "Too many articles wait; see Retry-After",
        }.items()
    }
    return {"openapi_extra": {"requestBody": body}, "responses": {200: {"model": answer}, **refusals}}


def _parse(body: bytes, kind: type[Message]) -> Message:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        mistakes = [
            Mistake(
                place=_place(entry["loc"]),
                problem=entry["msg"],
                cure=_CURES.get(entry["type"], "See /openapi.json for the form"),
            )
            for entry in found
        ]
    _refuse(mistakes)
    raise AssertionError("a body that does not fit has a mistake")


def _refuse(mistakes: Sequence[Mistake]) -> None:
    if mistakes:
        first = mistakes[0]
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        raise RefusedError(422, f"{first.place}: {first.problem}. {first.cure}{more}", mistakes=mistakes)


def _place(steps: Sequence[int | str]) -> str:
    """Where in a body: `articles[3].text`."""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return place.removeprefix(".") or "body"


async def _results(futures: Sequence[Future[Result]]) -> list[Result]:
    """The results of all; cancelled, it cancels those that have not begun."""
    return await asyncio.gather(*map(asyncio.wrap_future, futures))


async def _disconnect(request: Request) -> None:
    """Wait until the client has gone: with the body read, that is the only message left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
