"""A made-up CoNLL corpus: sentences about ships and harbours by a small grammar, with noise, a token a line."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

Token = tuple[str, str, str]
"""A token with its tag in the outer layer and in the inner one."""

SHIPS = ("Sao Biển", "Hải Âu", "Bình Minh 7", "Lừu Giang")
HARBOURS = ("Bát Xát", "Thanh Thủy", "Văn Sơn", "Quản Bạ", "Vân Nam")
CARGOES = ("chè", "gạo", "thương mại hàng khô", "thuốc")
CAPTAINS = ("Nguyễn Văn Hùng", "Lý Vĩ", "Đặng Minh")
FILLERS = ("hôm nay", "trong năm", "theo kế hoạch", "tại buổi hội đàm", "về phía ta", "đã")
TYPES = ("CAPTAIN", "CARGO", "HARBOUR", "SHIP")


def phrase(words: str, kind: str = "") -> list[Token]:
    tokens = words.split()
    return [(token, f"{'I' if place else 'B'}-{kind}" if kind else "O", "O") for place, token in enumerate(tokens)]


def nested(kind: str, head: str, inner: list[Token]) -> list[Token]:
    """A head and a phrase within it, whose tags go to the inner layer."""
    tokens = [*phrase(head), *inner]
    return [(token, f"{'I' if place else 'B'}-{kind}", tag) for place, (token, tag, _) in enumerate(tokens)]


def ship(rng: random.Random) -> list[Token]:
    if rng.random() < 0.3:
        return nested("SHIP", "tàu", phrase(rng.choice(HARBOURS), "HARBOUR"))
    return [*phrase("tàu"), *phrase(rng.choice(SHIPS), "SHIP")]


def clause(rng: random.Random) -> list[Token]:
    match rng.randrange(4):
        case 0:
            return [*ship(rng), *phrase("rời cảng"), *phrase(rng.choice(HARBOURS), "HARBOUR")]
        case 1:
            return [*phrase("ông"), *phrase(rng.choice(CAPTAINS), "CAPTAIN"), *phrase("chở"), *cargo(rng)]
        case 2:
            return [*ship(rng), *phrase("nhận"), *cargo(rng), *phrase("và"), *cargo(rng)]
        case _:
            # The same words as in names, and none of them one.
            return phrase(f"{rng.choice(FILLERS)} giá {rng.choice(CARGOES)} 12/3 tăng , không tàu nào tới")


def cargo(rng: random.Random) -> list[Token]:
    return phrase(rng.choice(CARGOES), "CARGO")


def sentence(rng: random.Random, *, noise: float = 0.05) -> list[Token]:
    """One to three clauses; `noise` is the share of tokens that lose their capital or are doubled letters."""
    tokens = phrase(rng.choice(FILLERS)) if rng.random() < 0.5 else []
    for _ in range(rng.randint(1, 3)):
        tokens += [*clause(rng), *phrase(rng.choice(",;"))]
    tokens[-1] = (".", "O", "O")
    return [(misspelt(token, rng) if rng.random() < noise else token, *tags) for token, *tags in tokens]


def misspelt(token: str, rng: random.Random) -> str:
    return rng.choice((token.lower(), token + token[-1], token[1:] or token))


def sentences(count: int, *, seed: int) -> list[list[Token]]:
    rng = random.Random(seed)
    return [sentence(rng) for _ in range(count)]


def flat(made: Iterable[Sequence[Token]]) -> list[list[tuple[str, str]]]:
    return [[(token, outer) for token, outer, _ in one] for one in made]


def write(path: Path, made: Iterable[Iterable[Sequence[str]]], *, document: int = 0, separator: str = " ") -> Path:
    """Write sentences a token a line; with `document`, that many sentences make one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for number, one in enumerate(made):
            if document and number % document == 0:
                stream.write("-DOCSTART- O O\n\n")
            stream.writelines(separator.join(token) + "\n" for token in one)
            stream.write("\n")
    return path
