"""The gazetteer: wrong rows are named with their cure, every name finds its place, and the shipped files are whole."""

import datetime
import re
import unicodedata
from pathlib import Path

import pytest

from hoidam.errors import DataError
from hoidam.gazetteer import UNIT_LEVELS, read_gazetteer, syllables

ROOT = Path(__file__).parents[1]
LAST_DAY, FIRST_DAY = datetime.date(2025, 6, 30), datetime.date(2025, 7, 1)

PLACES = "id,level,unit,name,parent,native,romanised,border,valid_from,valid_to,successors"
SMALL = {
    "unit-words.csv": "word,unit,levels\nnước,nước,country\ntỉnh,tỉnh,province\nthành phố,thành phố,province district\n"
    "TP,thành phố,province district\nhuyện,huyện,district\nthị xã,thị xã,district\nxã,xã,commune\nsông,sông,water\n"
    "cửa khẩu,cửa khẩu,gate\ncửa khẩu quốc tế,cửa khẩu,gate\n",
    "places.csv": f"{PLACES}\n"
    "vn,country,nước,Việt Nam,,,,,,,\n"
    "vn.hb,province,tỉnh,Hoà Bình,vn,,,,,2025-06-30,vn.pt\n"
    "vn.pt,province,tỉnh,Phú Thọ,vn,,,,,,\n"
    "vn.hb.hb,district,thành phố,Hòa Bình,vn.hb,,,,,2025-06-30,\n"
    "vn.hb.lt,district,huyện,Lạc Thủy,vn.hb,,,yes,,2025-06-30,\n"
    "vn.pt.lt,commune,xã,Lạc Thủy,vn.pt,,,yes,2025-07-01,,\n"
    "kh,country,nước,Campuchia,,កម្ពុជា,Cambodia,,,,\n"
    "kh.sr,province,tỉnh,Xvay Riêng,kh,,Svay Rieng,yes,,,\n"
    "g1,gate,cửa khẩu,Lạc Thủy,vn.hb,,,,,,\n"
    "g2,gate,cửa khẩu,O'Raing,kh.sr,,,,,,\n"
    "w,water,sông,Đà,,,,,,,\n",
    "aliases.csv": "place,alias\nkh.sr,Soài Riêng\n",
    "crossings.csv": "gate,opposite,kind\ng1,g2,quốc tế\n",
    "person-names.csv": "name,kind,language,sex,native\nNguyễn,surname,Việt,,\n",
}


def folder_of(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def small(tmp_path):
    return read_gazetteer(folder_of(tmp_path, SMALL))


@pytest.fixture(scope="module")
def shipped():
    return read_gazetteer(ROOT / "data" / "gazetteer")


def ids(places):
    return {place.id for place in places}


# file, text there, text instead, line, field, what the message says
WRONG = [
    (
        "places.csv",
        "vn.hb.lt,district,huyện,Lạc Thủy,vn.hb",
        "vn.hb.lt,district,huyện,Lạc Thủy,vn.xx",
        6,
        "parent",
        "no",
    ),
    (
        "places.csv",
        "Hòa Bình,vn.hb,",
        "Hòa Bình,vn.hb.hb,",
        5,
        "parent",
        "a district, vn.hb.hb, cannot hold a district",
    ),
    ("places.csv", "Hoà Bình,vn,", "Hoà Bình,vn.hb.lt,", 3, "parent", "cannot hold a province"),
    ("places.csv", "Phú Thọ,vn,", "Phú Thọ,,", 4, "parent", "is empty"),
    ("places.csv", "w,water", "w,waters", 12, "level", "unknown 'waters'"),
    ("places.csv", "xã,Lạc Thủy", "phường,Lạc Thủy", 7, "unit", "'phường' is no unit of a commune"),
    ("places.csv", "vn.pt.lt,commune", "vn.hb.lt,commune", 7, "id", "'vn.hb.lt' stands on line 6 already"),
    ("places.csv", "2025-07-01,,", "2025-07-01,2025-06-30,", 7, "valid_to", "2025-06-30 is before 2025-07-01"),
    ("places.csv", "2025-07-01,,", "7/2025,,", 7, "valid_from", "'7/2025' is no date"),
    ("places.csv", "2025-06-30,vn.pt", "2025-06-30,vn.xx", 3, "successors", "no place 'vn.xx'"),
    ("places.csv", "2025-06-30,vn.pt", ",vn.pt", 3, "valid_to", "has no last day"),
    ("places.csv", "2025-06-30,vn.pt", "2025-06-30,vn.hb.lt", 3, "successors", "no later than"),
    ("places.csv", "Việt Nam", unicodedata.normalize("NFD", "Việt Nam"), 2, "name", "is not NFC"),
    ("places.csv", "Việt Nam", "Việt  Nam", 2, "name", "spaces"),
    ("places.csv", "Việt Nam", "", 2, "name", "is empty"),
    ("places.csv", "Lạc Thủy,vn.hb,,,yes", "Lạc Thủy,vn.hb,,,no", 6, "border", "unknown 'no'"),
    ("places.csv", "Đà,,,,,,,", "Đà,,,,,,", 12, "", "10 cells, the header has 11"),
    ("places.csv", "id,level", "id,tier", 1, "", "found the columns id,tier"),
    ("places.csv", "w,water,sông,Đà", 'w,water,sông,"Đà', 12, "", "no CSV"),
    ("aliases.csv", SMALL["aliases.csv"], "", 1, "", "found the columns (none)"),
    ("aliases.csv", "kh.sr,", "kh.xx,", 2, "place", "no place 'kh.xx'"),
    ("aliases.csv", "Soài Riêng\n", "Soài Riêng\nkh.sr,Soài-riêng\n", 3, "place", "'kh.sr' stands on line 2 already"),
    ("unit-words.csv", "xã,xã,commune", "xã,xã,commune\nTP.,thành phố,province", 9, "word", "stands on line 5 already"),
    ("aliases.csv", "Soài Riêng", "svay-rieng", 2, "alias", "finds kh.sr already"),
    ("crossings.csv", "g1,g2", "g1,g3", 2, "opposite", "no place 'g3'"),
    ("crossings.csv", "g1,g2", "w,g2", 2, "gate", "w is a water"),
    ("crossings.csv", "quốc tế", "lớn", 2, "kind", "unknown 'lớn'"),
    ("unit-words.csv", "xã,xã,commune", "xã,xã,communes", 8, "levels", "unknown 'communes'"),
    ("person-names.csv", "surname", "last", 2, "kind", "unknown 'last'"),
    ("person-names.csv", "Việt,,", "Việt,x,", 2, "sex", "unknown 'x'"),
]


@pytest.mark.parametrize(("name", "there", "instead", "line", "field", "says"), WRONG)
def test_a_wrong_row_is_named_with_file_line_field_and_cure(tmp_path, name, there, instead, line, field, says):
    assert SMALL[name].count(there) == 1
    folder_of(tmp_path, SMALL | {name: SMALL[name].replace(there, instead)})
    with pytest.raises(DataError) as error:
        read_gazetteer(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / name}:{line}: {field}")
    assert says in error.value.problem
    assert error.value.cure


def test_a_missing_file_is_named(tmp_path):
    folder_of(tmp_path, SMALL)
    (tmp_path / "crossings.csv").unlink()
    with pytest.raises(DataError, match=r"crossings\.csv"):
        read_gazetteer(tmp_path)


@pytest.mark.parametrize(
    ("surface", "expected"),
    [
        ("Hòa Bình", {"vn.hb", "vn.hb.hb"}),
        ("tỉnh Hoà Bình", {"vn.hb"}),
        ("TP. HÒA BÌNH", {"vn.hb.hb"}),
        ("thị xã Hòa Bình", {"vn.hb.hb"}),
        ("xã Hòa Bình", set()),
        ("Lạc Thuỷ", {"vn.hb.lt", "vn.pt.lt", "g1"}),
        ("xã Lạc Thủy", {"vn.pt.lt"}),
        ("thị xã Lạc Thủy", {"vn.hb.lt"}),
        ("Cửa khẩu quốc tế Lạc Thủy", {"g1"}),
        ("Xvay-riêng", {"kh.sr"}),
        ("tỉnh SvayRieng", {"kh.sr"}),
        ("soài riêng", {"kh.sr"}),
        ("O’ Raing", {"g2"}),
        ("sông Đà", {"w"}),
        ("sông Đa", set()),
        ("Hoa Binh", set()),
        ("tỉnh", set()),
        ("", set()),
    ],
)
def test_a_mention_finds_what_it_may_mean(small, surface, expected):
    assert ids(small.find(surface)) == expected
    assert ids(small.find(unicodedata.normalize("NFD", surface))) == expected


def test_a_date_keeps_what_was_valid_then(small):
    assert ids(small.find("Lạc Thủy", date=LAST_DAY)) == {"vn.hb.lt", "g1"}
    assert ids(small.find("Lạc Thủy", date=FIRST_DAY)) == {"vn.pt.lt", "g1"}


def test_units_of_a_mention_are_those_that_all_its_candidates_share(small):
    assert small.units_of("thành phố Hòa Bình") == {"vn.hb.hb", "vn.hb", "vn.pt", "vn"}
    assert small.units_of("Lạc Thủy") == {"vn.pt", "vn"}
    assert small.units_of("huyện Lạc Thủy", date=FIRST_DAY) == {"vn.hb.lt", "vn.hb", "vn.pt", "vn"}
    assert small.units_of("sông Đà") == {"w"}
    assert small.units_of("Hà Nội") == frozenset()


def tone_moved(text: str) -> str:
    """The tone of open oa, oe, uy on the other vowel, written from the two conventions and not from the code."""
    pairs = ("òa oà", "óa oá", "ỏa oả", "õa oã", "ọa oạ", "òe oè", "óe oé", "ủy uỷ", "úy uý", "ùy uỳ", "ụy uỵ")
    for pair in pairs:
        first, second = pair.split()
        text = re.sub(rf"{first}\b", second, text)
    return text


def test_every_name_and_alias_finds_its_place_however_it_is_written(shipped):
    surfaces = [(place.name, place) for place in shipped.places.values()]
    surfaces += [(place.romanised, place) for place in shipped.places.values() if place.romanised]
    surfaces += [(alias.alias, shipped.places[alias.place]) for alias in shipped.aliases]
    for name, place in surfaces:
        moved = tone_moved(name)
        for form in (name, moved, name.upper(), unicodedata.normalize("NFD", moved), name.replace(" ", "-")):
            for surface in (form, f"{place.unit} {form}"):
                assert place in shipped.find(surface), surface
    assert sum(tone_moved(name) != name for name, _ in surfaces) > 100


def test_every_unit_word_of_its_level_finds_a_unit(shipped):
    by_level = {place.level: place for place in shipped.places.values()}
    for word in shipped.unit_words:
        for level in word.levels:
            place = by_level[level]
            assert place.level in {found.level for found in shipped.find(f"{word.word.upper()} {place.name}")}, word
    assert len({syllables(word.word) for word in shipped.unit_words}) == len(shipped.unit_words)


def test_the_unit_word_narrows(shipped):
    assert {place.level for place in shipped.find("Điện Biên")} > {"province", "district"}
    assert ids(shipped.find("huyện Điện Biên")) == {"vn.dien-bien.huyen-dien-bien"}
    assert ids(shipped.find("TP. Tịnh Tây")) == ids(shipped.find("thành phố Tĩnh Tây")) == {"cn.guangxi.baise.jingxi"}
    assert ids(shipped.find("Khu tự trị dân tộc Choang Quảng Tây")) == {"cn.guangxi"}
    assert ids(shipped.find("huyện Malypho")) == ids(shipped.find("Ma Ly Pho", date=datetime.date(2031, 1, 1)))


def test_diacritics_make_a_difference():
    assert len({syllables(name) for name in ("Mường Tè", "Mường Te", "Muong Te", "Mường Té", "Mương Tè")}) == 5


def names(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(",")]


BEFORE = names("""
    Quảng Ninh, Lạng Sơn, Cao Bằng, Hà Giang, Lào Cai, Lai Châu, Điện Biên, Sơn La, Thanh Hóa, Nghệ An, Hà Tĩnh,
    Quảng Bình, Quảng Trị, Huế, Quảng Nam, Kon Tum, Gia Lai, Đắk Lắk, Đắk Nông, Bình Phước, Tây Ninh, Long An,
    Đồng Tháp, An Giang, Kiên Giang
""")
AFTER = names("""
    Quảng Ninh, Lạng Sơn, Cao Bằng, Tuyên Quang, Lào Cai, Lai Châu, Điện Biên, Sơn La, Thanh Hóa, Nghệ An, Hà Tĩnh,
    Quảng Trị, Huế, Đà Nẵng, Quảng Ngãi, Gia Lai, Đắk Lắk, Lâm Đồng, Đồng Nai, Tây Ninh, Đồng Tháp, An Giang
""")


@pytest.mark.parametrize(
    ("provinces", "date", "level"), [(BEFORE, LAST_DAY, "district"), (AFTER, FIRST_DAY, "commune")]
)
def test_every_border_province_has_border_units_in_each_era(shipped, provinces, date, level):
    valid = [place for place in shipped.places.values() if place.valid_on(date)]
    found = {place.name: place.id for place in valid if place.parent == "vn" and place.level == "province"}
    assert len(found) == {LAST_DAY: 63, FIRST_DAY: 34}[date]
    for name in provinces:
        units = [place for place in valid if place.parent == found[name] and place.level == level and place.border]
        assert units, name
        assert shipped.places[found[name]].border, name


def test_every_border_district_has_border_communes_that_went_on(shipped):
    communes = {}
    for place in shipped.places.values():
        if place.level == "commune" and place.border and place.valid_to == LAST_DAY:
            communes.setdefault(place.parent, []).append(place)
    for place in shipped.places.values():
        if place.id.startswith("vn.") and place.level == "district" and place.border and place.valid_to == LAST_DAY:
            assert communes[place.id], place.id
    for commune in (one for found in communes.values() for one in found):
        successors = [shipped.places[key] for key in commune.successors]
        assert successors, commune.id
        assert all(one.valid_from == FIRST_DAY and one.level == "commune" for one in successors), commune.id
        assert any(one.border for one in successors), commune.id


COUNTIES = {
    "文山壮族苗族自治州": "麻栗坡县 马关县 富宁县",
    "红河哈尼族彝族自治州": "河口瑶族自治县 金平苗族瑶族傣族自治县 绿春县",
    "普洱市": "江城哈尼族彝族自治县",
    "百色市": "靖西市 那坡县",
    "崇左市": "凭祥市 宁明县 龙州县 大新县",
    "防城港市": "东兴市 防城区",
}


def test_the_chinese_border_counties_are_there_under_their_prefectures(shipped):
    found = {
        (shipped.places[place.parent].native, place.native)
        for place in shipped.places.values()
        if place.id.startswith("cn.") and place.level == "district" and place.border
    }
    assert found == {(prefecture, county) for prefecture, names in COUNTIES.items() for county in names.split()}


def test_every_unit_lies_in_a_country(shipped):
    for place in shipped.places.values():
        if place.level in UNIT_LEVELS:
            one = place
            while one.parent:
                one = shipped.places[one.parent]
            assert one.level == "country", place.id


SCRIPTS = {"cn": r"[\u4e00-\u9fff]+", "la": r"[\u0e80-\u0eff ]+", "kh": r"[\u1780-\u17ff]+"}


def test_foreign_names_are_in_their_scripts_and_pinyin_has_no_tones(shipped):
    for place in shipped.places.values():
        country = place.id.split(".")[0]
        if country in SCRIPTS and place.level in ("province", "prefecture", "district"):
            assert place.romanised, place.id
            assert re.fullmatch(SCRIPTS[country], place.native), place.id
            assert re.fullmatch(r"[A-Z][a-zü']+" if country == "cn" else r"[A-Za-z' ]+", place.romanised), place.id


def test_the_readme_describes_every_file_and_column():
    readme = (ROOT / "data" / "gazetteer" / "README.md").read_text(encoding="utf-8")
    files = sorted((ROOT / "data" / "gazetteer").glob("*.csv"))
    assert re.findall(r"^\| `(.+?)` \|", readme, re.MULTILINE) == [
        "places.csv",
        "aliases.csv",
        "unit-words.csv",
        "crossings.csv",
        "person-names.csv",
    ]
    assert len(files) == 5
    for column in (ROOT / "data" / "gazetteer" / "places.csv").read_text(encoding="utf-8").splitlines()[0].split(","):
        assert f"`{column}`" in readme, column


def test_crossings_lead_out_of_vietnam(shipped):
    for crossing in shipped.crossings:
        assert "vn" in shipped.lineage(shipped.places[crossing.gate])
        if crossing.opposite:
            assert not shipped.lineage(shipped.places[crossing.opposite]) & {"vn"}
    assert {crossing.kind for crossing in shipped.crossings} >= {"quốc tế", "chính", "phụ", "đường sắt"}


def test_names_of_persons_are_parts_and_there_are_some_of_each_people(shipped):
    assert all(len(name.name.split()) <= 4 for name in shipped.person_names)
    for language in ("Việt", "Hán", "Lào", "Khmer", "Mông", "Thái", "Gia Rai", "Ê Đê"):
        kinds = {name.kind for name in shipped.person_names if name.language == language}
        assert kinds >= {"surname", "given"}, language
