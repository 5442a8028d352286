"""Finding the body: pages and articles written for these tests, and what holds for any text."""

import random
import re
import time
import unicodedata

import pytest

from hoidam.ingest.body import find_body
from hoidam.ingest.furniture import Kind, kind_of

HEADLINE = "Huyện Sốp Cộp và huyện Mường Ét bàn mở lại chợ phiên"
LEAD = (
    "Sáng 9/5, tại trung tâm huyện, ông Lò Văn Ín, Phó Chủ tịch UBND huyện Sốp Cộp, đã gặp đoàn cán bộ huyện Mường Ét "
    "để bàn cách đưa chợ phiên họp trở lại vào mỗi chủ nhật đầu tháng."
)
PARAGRAPHS = [
    "Theo ông Ín, bà con hai bên đã quen đi chợ từ hơn hai mươi năm nay, nên việc dừng họp kéo dài khiến nhiều nhà mất "
    "nguồn thu; ông đề nghị dựng lại dãy lán và làm vệ sinh khu bán gia súc ngay trong tháng này.",
    "Ông Bun-ma Xay-nha-vông cho biết phía bạn đã san xong mặt bằng, chỉ chờ kéo điện. “Có điện thì chợ mới đông”, "
    "ông nói, đồng thời mong cán bộ thú y hai huyện cùng kiểm tra trâu bò trước mỗi phiên.",
    "Hai bên thống nhất thử họp chợ ba phiên liền, sau đó ngồi lại để tính chuyện lâu dài.",
]
CAPTION = "Quang cảnh buổi gặp ở hội trường huyện."
ARTICLE = "\n\n".join([HEADLINE, LEAD, PARAGRAPHS[0], "cho-phien-01.jpg\n" + CAPTION, *PARAGRAPHS[1:]])

HEADS = {
    "menu in a line": "Trang chủ | Thời sự | Kinh tế | Bạn đọc\nTrang chủ / Thời sự / Đối ngoại",
    "menu in a column": "Trang chủ\nThời sự\nKinh tế\nĐất và người\nBạn đọc",
    "site and breadcrumb": "BÁO VÙNG CAO ĐIỆN TỬ\nTrang nhất » Đối ngoại",
    "headline in the breadcrumb": f"Trang chủ > Tin tức > {HEADLINE}\n{HEADLINE}",
    "headline doubled": f"Thời sự\n\n{HEADLINE}\n\nThời sự",
    "page title": f"{HEADLINE} - Báo Vùng Cao\nTrang chủ   Tin tức   Đối ngoại",
    "date above": "Giới thiệu › Tin tức\nThứ Ba, 09/05/2023 - 16:20 (GMT+7)\nNghe đọc bài  A- A A+",
    "slogan that reads like prose": "Chào mừng bạn đọc đến với trang thông tin của các xã vùng cao phía Tây!\n"
    "Trang chủ | Tin tức | Liên hệ",
}
TAILS = {
    "byline and related": "Thu Hà - Lò Mai\n\nTin liên quan\nChủ tịch xã Mường Và tiếp đoàn Xiềng Khọ\n"
    "Chủ tịch xã Mường Và tiếp đoàn Xiềng Khọ\n"
    "Chiều 8/5, bà Cầm Thị Sen đã tiếp ông Khăm-la và bàn việc phòng chống cháy rừng ở hai đầu suối trong mùa khô.",
    "credit line": "Tin, ảnh: Tổ truyền thông xã\nChia sẻ: fb yt zl tw\nBình luận (2)",
    "share, tags, comments": "fb yt zl tw\nTừ khóa: chợ phiên, Sốp Cộp\nÝ kiến bạn đọc (0)\nGửi bình luận",
    "agency": "(Theo TTXVN)\nCác tin khác\n» Lễ hội hoa ban mở vào tháng ba",
    "imprint": "© Bản quyền thuộc về Báo Vùng Cao. Giấy phép số 12/GP-BTTTT.\nTổng Biên tập: Hà Ngọc Lan",
    "comments with text": "Bình luận\nbac.lo: Chợ mà họp lại thì bà con chúng tôi mừng lắm, mong làm thật nhanh.\n"
    "nguoimuongva: Phải có chỗ để xe, chứ năm ngoái xe máy dựng kín cả lòng đường mà không ai trông coi giúp.",
    "office that signs": "Văn phòng HĐND và UBND xã\nTin mới hơn\nThông báo lịch tiếp dân tháng 6",
    "address": "https://vungcao.example/cho-phien-post1.html",
    "footer menu": "10/05/2023 07:30\nTrang chủ | Giới thiệu | Liên hệ\nLượt truy cập: 120.345",
}


def body_of(text: str) -> str:
    start, end = find_body(text)
    return text[start:end]


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_furniture_around_an_article_stays_outside(head: str, tail: str) -> None:
    assert body_of(f"{head}\n{ARTICLE}\n\n{tail}\n") == ARTICLE


@pytest.mark.parametrize("head", ["", *HEADS.values()])
def test_a_date_line_under_the_headline_stays_inside(head: str) -> None:
    article = ARTICLE.replace("\n", "\n09/05/2023 16:20 | 214 lượt xem\n", 1)
    assert body_of(f"{head}\n{article}") == article


def test_an_article_without_furniture_is_whole() -> None:
    assert body_of(f"\n  {ARTICLE}\n\n") == ARTICLE


@pytest.mark.parametrize(
    "article",
    [
        pytest.param(LEAD, id="one paragraph"),
        pytest.param("Một dòng", id="two words"),
        pytest.param("HỘI ĐÀM CẤP XÃ\n" + LEAD, id="short headline in capitals"),
        pytest.param(f"Sốp Cộp - Mường Ét\n{LEAD}", id="headline that is two names"),
        pytest.param("Chợ phiên có họp lại trước ngày mùa hay không, ai sẽ lo phần điện?\n" + LEAD, id="question"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nDu lịch\n{PARAGRAPHS[0]}\nKinh tế\nMở chợ.", id="section as subheading"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nChia sẻ kinh nghiệm\nHai huyện hẹn gặp lại.", id="share as subheading"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nPhóng viên: Xin cảm ơn ông!", id="interview"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nChợ | Ngày họp | Số quầy\nNậm Lạnh | 3 | 40", id="table at the end"),
        pytest.param(
            f"{HEADLINE}\n{LEAD}\nẢnh: Các đại biểu thăm chợ cũ Nậm Lạnh.", id="caption that says it is a picture"
        ),
        pytest.param(f"{HEADLINE}\n{LEAD}\nTrụ sở xã Nậm Lạnh nhìn từ chợ", id="caption of an office"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nTin vào ngày mai", id="sentence that begins like a label"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nBình luận về kết quả, ông Ín nói: “Được!”", id="comment as a verb"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nGIÁM ĐỐC SỞ Y TẾ\n(đã ký)\nLò Văn Ín", id="signed letter"),
        pytest.param(f"{HEADLINE}\n{LEAD}\nChủ tịch\nLò Văn Ín", id="signed decision"),
        pytest.param("Mở chợ\nThêm điện\nLàm đường\nHọc chữ\nTrồng cây\nNuôi cá", id="short lines alone"),
        pytest.param("1. Mở chợ.\n2. Kéo điện.\n3. Gặp nhau.", id="points alone"),
    ],
)
def test_plain_articles_are_not_cut(article: str) -> None:
    assert body_of(article) == article


@pytest.mark.parametrize(
    "inset",
    ["Xem thêm: Lễ hội hoa ban mở vào tháng ba", "Tin liên quan\nLễ hội hoa ban mở vào tháng ba", "Chia sẻ: fb zl tw"],
)
def test_an_article_goes_on_after_a_box_between_its_paragraphs(inset: str) -> None:
    article = "\n".join([HEADLINE, LEAD, inset, *PARAGRAPHS])
    assert body_of(f"Trang chủ | Tin tức\n{article}\nTin khác\nLễ hội hoa ban") == article


def test_a_caption_that_repeats_its_picture_ends_nothing() -> None:
    article = "\n".join([HEADLINE, LEAD, "Đại biểu thăm chợ cũ Nậm Lạnh", "Đại biểu thăm chợ cũ Nậm Lạnh", *PARAGRAPHS])
    assert body_of(article) == article


def test_captions_at_the_end_stay_inside() -> None:
    article = f"{ARTICLE}\ncho-phien-02.jpg\nPhòng họp của huyện Mường Ét"
    assert body_of(f"{article}\nTin cùng chuyên mục\nLễ hội hoa ban") == article


def test_a_headline_of_many_words_under_a_menu_is_found() -> None:
    headline = " ".join([HEADLINE, "sau ba năm tạm dừng vì dịch bệnh và mưa lũ, có thêm khu bán trâu bò và bến xe"])
    assert body_of(f"BÁO VÙNG CAO\nTrang chủ | Thời sự | Kinh tế\n{headline}\n{LEAD}") == f"{headline}\n{LEAD}"


def test_a_headline_of_three_words_under_a_column_of_sections_is_found() -> None:
    assert body_of(f"Trang chủ\nThời sự\nKinh tế\nMở lại chợ\n09/05/2023\n{LEAD}").startswith("Mở lại chợ")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: unicodedata.normalize("NFD", text), id="decomposed"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text.replace(" ", "\u00a0"), id="no-break spaces"),
        pytest.param(lambda text: text.replace("a", "a\u200b"), id="zero-width"),
        pytest.param(lambda text: text.replace("khóa", "khoá").replace("Thủy", "Thuỷ"), id="new tone placement"),
        pytest.param(lambda text: text.upper(), id="capitals"),
    ],
)
def test_the_spelling_of_the_page_does_not_matter(change) -> None:
    tail = TAILS["share, tags, comments"]
    given = change(f"{HEADS['menu in a line']}\n{ARTICLE}\n{tail}\n")
    start, end = find_body(given)
    assert given[start:end].rstrip("\u200b") == change(ARTICLE).rstrip("\u200b")


@pytest.mark.parametrize(("text", "body"), [("", (0, 0)), (" ", (0, 1)), ("\u200b\n", (0, 2)), ("a", (0, 1))])
def test_only_an_empty_text_has_an_empty_body(text: str, body: tuple[int, int]) -> None:
    assert find_body(text) == body


def test_any_lines_give_a_body_of_whole_lines() -> None:
    rng = random.Random(8)
    lines = [
        *"\n".join([*HEADS.values(), *TAILS.values()]).split("\n"),
        *ARTICLE.split("\n"),
        "",
        "  ",
        "Ín",
        "1",
        "…",
        "|",
    ]
    for _ in range(1500):
        text = "\n".join(rng.choices(lines, k=rng.randint(1, 12)))
        start, end = find_body(text)
        assert 0 <= start < end <= len(text) or not text
        if text.strip():
            assert text[:start].rpartition("\n")[2].strip() == ""
            assert text[end:].partition("\n")[0].strip() == ""
            assert text[start:end] == text[start:end].strip()


def test_paragraphs_in_any_number_and_order_are_one_body() -> None:
    rng = random.Random(9)
    for _ in range(300):
        parts = [HEADLINE, LEAD, *rng.choices([*PARAGRAPHS, CAPTION, "Gặp lại vào tháng sau"], k=rng.randint(0, 8))]
        article = rng.choice(["\n", "\n\n"]).join(parts)
        assert body_of(article) == article


def test_long_pages_take_time_in_proportion() -> None:
    pages = ["Chia sẻ\n" * 20_000, "Xem thêm: chợ\n" * 20_000, f"{HEADLINE}\n" * 10_000, f"{LEAD}\nTrang chủ\n" * 3_000]
    start = time.process_time()
    for page in pages:
        find_body(page)
    assert time.process_time() - start < 8


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(" ".join(f"IMG_{n:04}.jpg" for n in range(60)) + " (xem tiếp trang sau)", id="names of pictures"),
        pytest.param("Thu Hà" + " " * 100_000 + "Mai", id="spaces"),
        pytest.param("Thu Hà  " + "(" * 100_000, id="brackets"),
    ],
)
def test_no_line_takes_time_beyond_its_length(line: str) -> None:
    start = time.process_time()
    find_body(f"{HEADLINE}\n{line}\n{LEAD}")
    assert time.process_time() - start < 1


def test_rows_of_picture_names_are_told_as_if_each_way_to_divide_them_were_tried() -> None:
    names = r"(?:\[?[^!?]{0,80}?\.(?:jpe?g|png|gif|webp|bmp|svg|tiff?|heic)\]?\s*)+$"
    parts = [".jpg", ".JPEG", ".tif", ".tiff", "f", "a", "chợ 1", "[", "]", " ", "!", "x" * 40, "y" * 79]
    rng = random.Random(10)
    found = 0
    for _ in range(5000):
        line = "".join(rng.choices(parts, weights=[6, 3, 3, 3, 2, 2, 2, 2, 2, 3, 0.3, 0.5, 0.5], k=rng.randint(1, 8)))
        line = line.strip() or "a"
        wanted = re.match(names, line, re.IGNORECASE) is not None
        assert (kind_of(line) is Kind.IMAGE) == wanted, line
        found += wanted
    assert 500 < found < 4500


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (LEAD, Kind.PROSE),
        (HEADLINE, Kind.TEXT),
        (CAPTION, Kind.TEXT),
        ("Trang chủ » Tin tức » Đối ngoại", Kind.NAVIGATION),
        ("Biên giới - Biển đảo", Kind.NAVIGATION),
        ("Du lịch - nhịp cầu hữu nghị", Kind.TEXT),
        ("Thứ Năm, 16/11/2023 | 14:25 | 1.206 lượt xem", Kind.DATE),
        ("09:12 ngày 01/09/2025 Báo Vùng Cao", Kind.DATE),
        ("Lễ ký ngày 14/7.", Kind.TEXT),
        ("Nghe đọc bài  A- A A+", Kind.SHARE),
        ("S 7.jpg", Kind.IMAGE),
        ("[anh_cho-02.JPG]", Kind.IMAGE),
        ("Ảnh: Lò Mai", Kind.CREDIT),
        ("Thu Hà - Lò Mai", Kind.BYLINE),
        ("LÒ MAI", Kind.BYLINE),
        ("Nguồn: TTXVN", Kind.BYLINE),
        ("Theo Báo Vùng Cao", Kind.BYLINE),
        ("Theo chân đoàn khảo sát", Kind.TEXT),
        ("Từ khóa: chợ, biên giới", Kind.TAGS),
        ("#chợ #biên giới", Kind.TAGS),
        ("CÁC TIN, BÀI KHÁC", Kind.RELATED),
        ("Có thể bạn quan tâm:", Kind.RELATED),
        ("Bình luận (3)  Gửi bình luận", Kind.FOOTER),
        ("Điện thoại: 0212.xxx.xxx", Kind.FOOTER),
        ("Giấy phép lái xe liên vận", Kind.TEXT),
    ],
)
def test_a_line_has_its_kind(line: str, kind: Kind) -> None:
    assert kind_of(line) is kind
