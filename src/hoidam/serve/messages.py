"""What clients send and are sent, as the interface's description shows it."""

from pydantic import BaseModel, ConfigDict, Field


class Article(BaseModel):
    """One article; fields that are not named here are not read."""

    model_config = ConfigDict(strict=True)

    text: str = Field(description="The article; offsets in the answer are code points of this very string.")
    id: str | None = Field(None, description="Its name in the answer; by default its place in the request, from 1.")
    title: str | None = None
    body: list[int] | None = Field(None, description="[start, end] of the article in a text with a page around it.")


class Articles(BaseModel):
    """Several articles, each with an id of its own."""

    model_config = ConfigDict(strict=True)

    articles: list[Article] = Field(min_length=1)


class TaggedSpan(BaseModel):
    """A mention: `text` is the article's text from `start` to `end`, `score` runs from 0 to 1."""

    start: int
    end: int
    type: str
    category: str | None = None
    text: str
    score: float


class Record(BaseModel):
    """What `hoidam tag` writes of an article: spans, categories with scores, the model; or else the error alone."""

    id: str
    source: str
    spans: list[TaggedSpan] | None = None
    categories: dict[str, float] | None = None
    model: str | None = None
    error: str | None = None


class Records(BaseModel):
    """Answers in the order of the request's articles."""

    articles: list[Record]


class Mistake(BaseModel):
    """What is wrong with a request: where, such as `articles[3].text`, and what to do."""

    place: str
    problem: str
    cure: str


class Problem(BaseModel):
    """Why a request was refused."""

    error: str
    mistakes: list[Mistake] = []
