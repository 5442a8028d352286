"""What a line of a page is, from its words alone: running text, a headline, or one of the kinds of furniture.

The words that mark furniture are data: phrases parted by `|`, in lower case and in the spelling that `normalise` gives.
"""

import enum
import itertools
import re
from collections.abc import Sequence


def _phrases(listed: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in listed.replace("\n", "|").split("|") if phrase.strip())


HOME = _phrases("trang chủ | trang chính | trang nhất | trang tin | home | bạn đang ở | bạn đang xem")
SECTIONS = _phrases("""
    chính trị | thời sự | tin tức | tin tức - sự kiện | tin tức sự kiện | sự kiện | tin trong tỉnh | trong nước
    kinh tế | xã hội | kinh tế - xã hội | văn hóa | văn hóa - xã hội | giáo dục | y tế | sức khỏe | pháp luật | thể thao
    quốc phòng | an ninh | quốc phòng - an ninh | quốc phòng an ninh | an ninh - quốc phòng | đối ngoại | quốc tế
    thế giới | du lịch | bạn đọc | đời sống | môi trường | công nghệ | khoa học | chuyển đổi số | nông nghiệp
    xây dựng đảng | biên giới | biển đảo | media | multimedia | video | ảnh | podcast | e-paper | báo in
    giới thiệu | giới thiệu chung | liên hệ | đăng nhập | tìm kiếm | thủ tục hành chính | văn bản | thông báo
    sơ đồ site | rss | english | tiếng việt | menu
""")
RELATED_NOUNS = _phrases("""
    tin | tin tức | bài | bài viết | tin bài | tin, bài | bài báo | câu hỏi | sự kiện | chủ đề | video | ảnh
""")
RELATED_QUALITIES = _phrases("""
    liên quan | khác | cùng chuyên mục | cùng mục | cùng chủ đề | cùng loại | trong chuyên mục | trong ngày | mới
    mới nhất | mới hơn | mới đăng | mới cập nhật | cũ hơn | đã đưa | đã đăng | trước | sau | kế tiếp | tiếp theo
    đọc nhiều | đọc nhiều nhất | xem nhiều | xem nhiều nhất | được quan tâm | nổi bật | nóng | hot | tiêu điểm
    đáng chú ý | đáng đọc | đọc thêm
""")
RELATED_PHRASES = _phrases("""
    cùng chuyên mục | cùng chủ đề | có thể bạn quan tâm | bạn có thể quan tâm | có thể bạn thích | bạn có thể thích
    gợi ý cho bạn | đọc thêm | xem thêm | mời xem thêm | mời đọc thêm | mời bạn đọc thêm | đọc tiếp | xem tiếp
    đọc nhiều | đọc nhiều nhất | xem nhiều | xem nhiều nhất
""")
COMMENTS = _phrases("""
    bình luận | gửi bình luận | viết bình luận | các bình luận | bình luận của bạn | đăng nhập để bình luận
    ý kiến bạn đọc | ý kiến của bạn | ý kiến phản hồi | gửi phản hồi | phản hồi | gửi ý kiến | comments | comment
    đánh giá bài viết | xếp hạng bài viết
""")
IMPRINT = _phrases("""
    bản quyền | giấy phép | giấy phép số | giấy phép hoạt động số | gpxb | cơ quan chủ quản | cơ quan quản lý
    đơn vị chủ quản | chịu trách nhiệm | chịu trách nhiệm nội dung | chịu trách nhiệm chính | chịu trách nhiệm xuất bản
    tổng biên tập | phó tổng biên tập | trưởng ban biên tập | tòa soạn | trụ sở | trụ sở chính | địa chỉ | điện thoại
    đt | tel | email | fax | hotline | đường dây nóng | liên hệ | liên hệ quảng cáo | hotline quảng cáo
""")
IMPRINT_ANYWHERE = _phrases("""
    © | copyright | all rights reserved | bản quyền thuộc | ghi rõ nguồn khi | ghi rõ nguồn và
    gp-bttt | gp-ttđt | gp-stttt | tiếng nói của đảng bộ
""")
VISITS = _phrases("""
    liên kết web | liên kết website | thống kê truy cập | lượt truy cập | số lượt truy cập | tổng lượt truy cập
    tổng số truy cập | tổng số lượt truy cập | tổng truy cập | đang truy cập | đang online | đang trực tuyến
    người dùng trực tuyến | khách truy cập | thiết kế bởi | phát triển bởi | đăng ký nhận bản tin | đăng ký nhận tin
    tải ứng dụng
""")
TAGS = _phrases("từ khóa | tags | tag | hashtag | chủ đề")
SHARE = _phrases("""
    chia sẻ bài viết | chia sẻ | lưu bài viết | lưu bài | in trang | in bài viết | in bài | gửi email | gửi mail
    gửi cho bạn bè | gửi bạn bè | gửi bài viết | sao chép liên kết | copy link | nghe đọc bài | nghe bài viết
    nghe audio | theo dõi trên google news | google news | theo dõi | facebook | messenger | twitter | zalo | youtube
    linkedin | pinterest | telegram | tiktok | email | print | like | share | tweet | thích | fb | yt | zl | tw | in
    ig | x | a- | a+ | a | aa | cỡ chữ | đọc bài | giọng nam | giọng nữ | đóng | về đầu trang | lên đầu trang
    đầu trang | quay lại | trở lại | trở về | download | tải về
""")
COUNTERS = _phrases("""
    thứ hai | thứ ba | thứ tư | thứ năm | thứ sáu | thứ bảy | thứ | chủ nhật | gmt | ngày đăng | đăng ngày | đăng lúc
    cập nhật lúc | cập nhật | xuất bản | ngày | tháng | năm | lúc | giờ | phút | trước | h | am | pm | sa | ch
    lượt xem | số lượt xem | lượt đọc | số lượt đọc | số lần xem | lượt | đã xem | xem | views | view | người đọc | đọc
    hôm nay | hôm qua | bình luận
""")
BYLINE_LABELS = _phrases("""
    tin | bài | ảnh và bài | tin, ảnh | tin ảnh | tin, bài | tin bài | bài, ảnh | bài ảnh | bài và ảnh | tin và ảnh
    tin, bài, ảnh | tin, video | bài viết | thực hiện | tác giả | người viết | nguồn | nguồn tin | theo | tổng hợp
    người đưa tin | người đăng | đăng bởi | người cập nhật | cập nhật bởi | biên tập | biên soạn
    phóng viên | nhóm phóng viên | nhóm pv | pv | ctv | btv | quay phim
""")
BYLINE_BODIES = _phrases("""
    ban biên tập | bbt | bộ phận | phòng truyền thông | tổ truyền thông | nhóm phóng viên | nhóm pv
""")
SIGNING_BODIES = _phrases("""
    ban | phòng | nhóm | tổ | trung tâm | bộ phận | văn phòng | vp | đài | đội | cổng | khoa | chi đoàn | hội
""")
OFFICES = _phrases("""
    (đã ký) | tm. | kt. | tl. | bí thư | phó bí thư | chủ tịch | phó chủ tịch | giám đốc | phó giám đốc | tổng giám đốc
    cục trưởng | vụ trưởng | trưởng | phó | hiệu trưởng | chánh | tổng lãnh sự | đại sứ
    chỉ huy | chính ủy | thủ trưởng
""")
CREDIT_LABELS = _phrases("ảnh | video | ảnh tư liệu | ảnh minh họa | đồ họa | clip")

LONG_LINE = 400
PROSE_WORDS, SENTENCE_WORDS, LINK_WORDS, MENU_WORDS = 25, 12, 8, 4


class Kind(enum.Enum):
    """What a line is, as far as it can be said from the line alone."""

    PROSE = "a paragraph of running text"
    TEXT = "a headline, caption, subheading or short sentence"
    NAVIGATION = "a menu or breadcrumb"
    DATE = "a date, time or counter"
    SHARE = "share and reading buttons"
    IMAGE = "the name of an image file, or an address"
    CREDIT = "who took a picture"
    BYLINE = "who wrote the article"
    TAGS = "keywords"
    RELATED = "the heading of related news"
    FOOTER = "comments or the imprint: no article goes on after it"


SENTENCE_END = re.compile(r"(?:[.!?…;:]|[.!?…][\"”’')\]]+)$")

_BULLETS = "»>›•·*-–+▪■●►▶▸ "
_BARE_ADDRESS = re.compile(r"(?:https?://|www\.)\S+$", re.IGNORECASE)
_TIME_STAMP = re.compile(
    r"\d[/.-](?:19|20)\d\d\D{1,12}\d{1,2}[:h]\d\d|\d[:h]\d\d\D{1,12}\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d"
)
# Atomic: a name is taken as it is first found, else a row that ends in other words is divided in every way there is.
_IMAGE_NAME = re.compile(r"(?>\[?[^!?]{0,80}?\.(?:jpe?g|png|gif|webp|bmp|svg|tiff?|heic)\]?\s*)+$", re.IGNORECASE)
_LINK_SEPARATOR = re.compile(r"\s*[|›»→•·▸►]+\s*|\s(?:/|\*|>+)\s|\s{2,}")
_TRAIL = ("›", "»", "→", "▸", "►", " > ", ">>")
_DASH_SEPARATOR = re.compile(r"\s[-–—]\s")
_NAME_SEPARATOR = re.compile(r"\s+[-–—]\s+|\s*[,;&/|]\s*|\s+và\s+|(?<=\w)[-–](?=\w)")
_SOURCE = re.compile(r"\(?[Tt]heo\s+(\w)")


def _alternatives(phrases: Sequence[str]) -> str:
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


def _heading(phrases: Sequence[str], *, after: str, before: str = "") -> re.Pattern[str]:
    return re.compile(rf"{before}(?:{_alternatives(phrases)})(?=\s*$|\s*{after})")


def _parts(phrases: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{_alternatives(phrases)})(?!\w)|\d+")


_HOME = _heading(HOME, after=r"[|›»>→▸►•·/:–-]|\s{2,}")
_RELATED = _heading(
    [*RELATED_PHRASES, *(" ".join(pair) for pair in itertools.product(RELATED_NOUNS, RELATED_QUALITIES))],
    before="(?:(?:các|những|một số) )?",
    after=r"[:(\[>»|…]|\s{2,}",
)
_COMMENTS = _heading(COMMENTS, after=r"(?:[(\[|]|:\s*\d*$|\d+$)|\s{2,}")
_IMPRINT = _heading(IMPRINT, after=r"[:\d]")
_VISITS = _heading(VISITS, after=r"\W|\s")
_IMPRINT_ANYWHERE = re.compile(_alternatives(IMPRINT_ANYWHERE))
_TAGS = re.compile(rf"(?:{_alternatives(TAGS)})\s*:|#\w")
_COUNTERS, _SHARE = _parts(COUNTERS), _parts(SHARE)
_BYLINE = _heading(BYLINE_LABELS, after=":")
_SIGNING = tuple(f"{body} " for body in SIGNING_BODIES)
_OFFICE = re.compile(rf"(?:{_alternatives(OFFICES)})(?!\w)")
_CREDIT = _heading(CREDIT_LABELS, after=":")


def kind_of(text: str) -> Kind:
    """The kind of one stripped, normalised line."""
    if len(text) > LONG_LINE and not _LINK_SEPARATOR.search(text):
        return Kind.PROSE
    lower = text.casefold().lstrip(_BULLETS)
    for kind, holds in _FURNITURE:
        if holds(text, lower):
            return kind
    words = len(text.split())
    if words >= PROSE_WORDS or (words >= SENTENCE_WORDS and SENTENCE_END.search(text)):
        return Kind.PROSE
    return Kind.BYLINE if _is_names(text) else Kind.TEXT


def _is_image(text: str, lower: str) -> bool:
    return bool(_IMAGE_NAME.match(text) or _BARE_ADDRESS.match(text))


def _is_footer(text: str, lower: str) -> bool:
    if _IMPRINT_ANYWHERE.search(lower) and len(text) <= LONG_LINE:
        return True
    if _IMPRINT.match(lower) or _COMMENTS.match(lower):
        return True
    return _VISITS.match(lower) is not None and len(text.split()) < SENTENCE_WORDS and text[-1] not in ".!?"


def _is_date(text: str, lower: str) -> bool:
    """Dates, counters and buttons alone, or a full time stamp with a name of up to three words beside it."""
    if not any(map(str.isdigit, lower)):
        return False
    words = re.findall(r"[^\W\d_]+", _SHARE.sub(" ", _COUNTERS.sub(" ", lower)))
    return not words or (len(words) <= 3 and _TIME_STAMP.search(lower) is not None)


def _is_share(text: str, lower: str) -> bool:
    return _made_of(_SHARE, lower) and not lower.isdigit()


def _made_of(parts: re.Pattern[str], lower: str) -> bool:
    return not any(map(str.isalnum, parts.sub("", lower))) and any(map(str.isalnum, lower))


def _is_navigation(text: str, lower: str) -> bool:
    links = [item for item in _LINK_SEPARATOR.split(lower) if item]
    enough = 2 if any(mark in lower for mark in _TRAIL) else 3
    short = max(len(item.split()) for item in links) <= LINK_WORDS if len(links) >= enough else False
    return short or lower in SECTIONS or is_menu(text)


def is_menu(text: str) -> bool:
    """Whether a line's links name the home page or sections, so that it is no row of a table."""
    lower = text.casefold().lstrip(_BULLETS)
    if _HOME.match(lower):
        return True
    for separator, enough in ((_LINK_SEPARATOR, 1), (_DASH_SEPARATOR, 2)):
        items = [item for item in separator.split(lower) if item]
        if len(items) >= 2 and all(len(item.split()) <= MENU_WORDS + 1 for item in items):
            return sum(item in SECTIONS or item in HOME for item in items) >= enough
    return False


def _is_credit(text: str, lower: str) -> bool:
    label = _CREDIT.match(lower.lstrip("("))
    return label is not None and len(text.split()) <= MENU_WORDS + 3 and text[-1] not in ".!?"


def _is_byline(text: str, lower: str) -> bool:
    words = len(text.split())
    if words > SENTENCE_WORDS or text[-1] in ".!?":
        return False
    bare = lower.strip("()")
    if _BYLINE.match(bare) or (words <= 8 and bare.startswith(BYLINE_BODIES)):
        return True
    name, *bodies = _DASH_SEPARATOR.split(text)
    if _is_name(name) and any(body.casefold().startswith(_SIGNING) for body in bodies):
        return True
    source = _SOURCE.match(text)
    return source is not None and source[1].isupper() and words <= 7


def is_signature(text: str) -> bool:
    """Whether a line may be a body's name at the foot of an article; a caption may look the same."""
    return text.casefold().startswith(_SIGNING) and len(text.split()) <= 7 and text[-1] not in ".!?…:;"


def is_office(text: str) -> bool:
    """Whether a line begins with an office, as over the name of someone who signs a letter or decision."""
    return _OFFICE.match(text.casefold()) is not None and text[-1] not in ".!?…:;"


def _is_names(text: str) -> bool:
    """Whether a line is one to three personal names and nothing else."""
    # Single spaces: in a long run of them each would be looked at as the start of a separator.
    bare = " ".join(re.sub(r"\([^()]*\)", "", text).split())
    names = [name for name in _NAME_SEPARATOR.split(bare) if name]
    return 1 <= len(names) <= 3 and all(map(_is_name, names)) and not is_office(text)


def _is_name(text: str) -> bool:
    words = text.split()
    return 1 <= len(words) <= 5 and all(word[0].isupper() and word.replace(".", "").isalpha() for word in words)


_FURNITURE = (
    (Kind.IMAGE, _is_image),
    (Kind.FOOTER, _is_footer),
    (Kind.RELATED, lambda text, lower: _RELATED.match(lower) is not None),
    (Kind.TAGS, lambda text, lower: _TAGS.match(lower) is not None),
    (Kind.SHARE, _is_share),
    (Kind.DATE, _is_date),
    (Kind.NAVIGATION, _is_navigation),
    (Kind.CREDIT, _is_credit),
    (Kind.BYLINE, _is_byline),
)
