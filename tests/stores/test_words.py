"""Words that stand in a text are found in it, in any script, and words that differ are told apart."""

# ruff: noqa: RUF001  (these are the letters of many scripts)
from __future__ import annotations

import sqlite3
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub.errors import InvalidRefError
from conversations_hub.stores._query import parsed, snippet
from conversations_hub.stores._words import is_character, paired, tokens
from conversations_hub.stores.sqlite._fts5 import TOKENIZER, expression, indexed


class Index:
    """Texts in an index of SQLite's, one after the other."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute(f"CREATE VIRTUAL TABLE said USING fts5 (text, tokenize={TOKENIZER!r})")
        self._database.execute("CREATE VIRTUAL TABLE words USING fts5vocab (said, instance)")

    def close(self) -> None:
        self._database.close()

    def put(self, text: str, *, as_it_stands: bool = False) -> None:
        kept = None if as_it_stands else indexed(text)
        self._database.execute("DELETE FROM said")
        self._database.execute("INSERT INTO said (text) VALUES (?)", (text if kept is None else kept,))

    def words(self) -> list[str]:
        return [word for (word,) in self._database.execute("SELECT term FROM words ORDER BY offset")]

    def has(self, expression: str) -> bool:
        asked = self._database.execute("SELECT count(*) FROM said WHERE said MATCH ?", (expression,))
        return bool(asked.fetchone()[0])


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    with closing(Index()) as index:
        yield index


def finds(index: Index, asked: str, text: str) -> bool:
    """Say whether it is found, by SQLite as by hand."""
    query = parsed(asked)
    if not query:
        return False
    index.put(text)
    found = index.has(expression(query))
    assert query.holds(text) is found, (asked, text, expression(query), indexed(text))
    return found


# What stands in a text, what people type to find it, and what is another word.
SCRIPTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "English": (
        "I don’t want a Refund, OK?",
        ("refund", "REFUND", "don't", "ok", "ref*", "want a"),
        ("refunds", "dont"),
    ),
    "German": ("Die Straße in Köln, größer: GROẞ", ("strasse", "Straße", "STRASSE", "koln", "gross"), ("koeln",)),
    "French": ("L’œuvre coûte 5 €, déjà reçue à Noël", ("oeuvre", "coute", "recue", "noël", "l'œuvre"), ("œuf",)),
    "Spanish": ("¿El niño pidió un reembolso?", ("nino", "niño", "pidio", "reembolso"), ("pido",)),
    "Portuguese": ("Não, a devolução não chegou", ("nao", "devolucao", "DEVOLUÇÃO"), ("devoluçõe",)),
    "Polish": ("Zwrot pieniędzy z Łodzi, źdźbło", ("lodzi", "Łodzi", "pieniedzy", "zdzblo"), ("łódź",)),
    "Czech": ("Žluťoučký kůň chce vrátit peníze", ("zlutoucky", "kun", "penize"), ("kuna",)),
    "Danish": ("Søren spiste rødgrød på Ærø", ("soren", "rodgrod", "pa", "aero", "Ærø"), ("ro",)),
    "Swedish": ("Återbetalning till Malmö", ("aterbetalning", "malmo"), ("malm",)),
    "Icelandic": ("Þórður vill endurgreiðslu", ("thordur", "þórður", "endurgreidslu"), ("tordur",)),
    "Turkish": ("Isparta'da IŞIK ve ılık, İSTANBUL iade", ("ışık", "isik", "ilik", "istanbul", "ısparta"), ("işkı",)),
    "Vietnamese": (
        "Tôi muốn hoàn tiền, được không? Đà Nẵng",
        ("hoan tien", "hoàn tiền", "duoc", "đà nẵng"),
        ('"tien hoan"',),
    ),
    "Decomposed": (unicodedata.normalize("NFD", "Tôi muốn đi Łódź, café"), ("muốn", "muon", "lodz", "café"), ("caf",)),
    "Greek": ("Ο Οδυσσεύς θέλει επιστροφή χρημάτων", ("ΟΔΥΣΣΕΥΣ", "οδυσσευς", "επιστροφη", "ΕΠΙΣΤΡΟΦΉ"), ("χρημα",)),
    "Russian": ("Верните мой счёт, ещё за́мок", ("счет", "СЧЁТ", "еще", "замок", "мой"), ("мои", "счета")),
    "Ukrainian": ("Її об'єкт і обʼєкт, ґанок", ("її", "об’єкт", "ґанок"), ("іі", "ганок")),
    "Armenian": ("Ես ուզում եմ վերադարձ", ("ուզում", "ՎԵՐԱԴԱՐՁ"), ("ուզու",)),
    "Georgian": ("მინდა თანხის დაბრუნება", ("თანხის", "ᲓᲐᲑᲠᲣᲜᲔᲑᲐ"), ("თანხა",)),
    "Hebrew": ('שָׁלוֹם, אני רוצה החזר צה"ל', ("שלום", "שָׁלוֹם", "החזר", 'צה"ל'), ("שלם",)),
    "Arabic": ("أُرِيدُ اِسْتِرْدَادَ المـــال إلى آدم", ("اريد", "أريد", "استرداد", "المال", "الى", "ادم"), ("ماله",)),
    "Arabic, ة beside ه": ("كتابة", ("كتابة",), ("كتابه",)),
    "Persian": (
        "می‌خواهم کتاب‌ها را پس بدهم ۱۲۳۴",
        ("می‌خواهم", "خواهم", "كتاب", "کتاب", "ها", "1234", "۱۲۳۴"),
        ("کتابی",),
    ),
    "Urdu": ("مجھے رقم کی واپسی چاہیے", ("رقم", "واپسی", "چاہیے"), ("راقم",)),
    "Hindi": ("मुझे पैसे वापस चाहिए, कल नहीं। क़लम", ("पैसे", "चाहिए", "नहीं", "क़लम"), ("पैसा", "कुल", "काल", "पस", "कलम")),
    "Marathi": ("मला परतावा हवा आहे", ("परतावा", "आहे"), ("परतवा",)),
    "Bengali": ("আমি টাকা ফেরত চাই, পড়া", ("টাকা", "ফেরত", "পড়া"), ("টাকি", "পরা", "ট")),
    "Tamil": ("எனக்கு பணம் வேண்டும், கொடு", ("பணம்", "வேண்டும்", "கொடு"), ("பணி", "கெடு", "பண")),
    "Telugu": ("నాకు డబ్బు తిరిగి కావాలి", ("డబ్బు", "తిరిగి"), ("డబ్బ", "తరిగి")),
    "Malayalam": ("എനിക്ക് റീഫണ്ട് വേണം, അവൻ", ("റീഫണ്ട്", "വേണം", "അവൻ"), ("വണം",)),
    "Sinhala": ("මට මුදල් ආපසු ඕනෑ ශ්‍රී", ("මුදල්", "ශ්‍රී", "ශ්රී"), ("මුදල",)),
    "Thai": ("ฉันต้องการคืนเงินภายใน ๗ วัน", ("คืนเงิน", "เงิน", "ต้องการ", "7 วัน"), ("คน", "คื่น", "เงน")),
    "Lao": ("ຂ້ອຍຕ້ອງການເງິນຄືນ", ("ເງິນຄືນ", "ຕ້ອງການ"), ("ຄນ",)),
    "Khmer": ("ខ្ញុំចង់បានប្រាក់វិញ", ("ប្រាក់", "ចង់បាន"), ("ប្រក់",)),
    "Burmese": ("ငွေပြန်အမ်းပေးပါ", ("ငွေ", "ပြန်အမ်း"), ("ပြန",)),
    "Chinese": ("我要申请退款，谢谢", ("退款", "申请退款", "款", "谢谢"), ("款退", "请款", "退货")),
    "Chinese with Latin and digits": (
        "买了iPhone15退款3次",
        ("iphone15", "退款", "3", "次", "iPhone15退款", "买了i*"),
        ("iphone",),
    ),
    "Chinese, line by line": ("退\n款", ("退款", "退 款"), ("款退",)),
    "Japanese": (
        "注文をキャンセルして返金してください",
        ("返金", "キャンセル", "ｷｬﾝｾﾙ", "ください"),
        ("金返", "きゃんせる"),
    ),
    "Japanese, half width": ("ﾃﾞｰﾀを５ｋｇ", ("データ", "5kg", "５ＫＧ"), ("テータ",)),
    "Korean": ("환불을 받고 싶어요", ("환불", "환불을", "싶어요", "싶어"), ("불환", "한불")),
    "Korean, decomposed": (unicodedata.normalize("NFD", "환불해주세요"), ("환불", "주세요"), ("활불",)),
    "Amharic": ("ገንዘቤን መመለስ እፈልጋለሁ", ("መመለስ",), ("መመለሰ",)),
    "Full width": ("Ｒｅｆｕｎｄ　ｐｌｅａｓｅ！", ("refund", "please"), ("ref",)),
    "Emoji": ("Great 👍🏽👍 ❤️ 👨‍👩‍👧 ok", ("👍", "👍🏿", "❤", "❤️", "👧", "great"), ("👎", "😀")),
    "E-mail": (
        "Write to jane.doe+x@mail.example.com!",
        ("jane.doe", "jane.doe+x@mail.example.com", "example.com"),
        ("doe.jane",),
    ),
    "Phone": (
        "Call +1 (555) 010-0123 now",
        ("555-010-0123", "(555) 010 0123", "+1 555.010.0123", '"010 0123"'),
        ("5550100123",),
    ),
    "Order": (
        "It is ORD-2024-0042_b, №5",
        ("ord-2024-0042", "ORD-2024", "0042", "ord 2024 0042 b"),
        ("2024-ord", "ord2024"),
    ),
    "URL": ("see https://example.com/a/b?c=d#e", ("https://example.com/a/b", "example.com", "c=d"), ("example.org",)),
    "Apostrophe": ("O'Neill’s rock'n'roll, Hawaiʻi", ("o'neill", "O’Neill", "rock'n'roll", "hawai'i"), ("oneill",)),
    "Signs": ("Foo™ at 25°C, №7 Ⅷ ½ a²", ("foo", "25°c", "viii", "a2"), ("footm",)),
    "Soft hyphen": ("Rück\u00aderstattung", ("rückerstattung", "Ruck\u00aderstattung"), ("rück",)),
    "Glued": ("wifiом 5किलो Zoomで", ("wifi", "ом", "किलो", "zoom", "で", "5किलो"), ("wi",)),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_word_is_found_as_people_type_it(script: str, index: Index) -> None:
    text, asked, _ = SCRIPTS[script]
    assert [word for word in asked if not finds(index, word, text)] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_another_word_is_not(script: str, index: Index) -> None:
    text, _, others = SCRIPTS[script]
    assert [word for word in others if finds(index, word, text)] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_snippet_shows_the_text_as_it_was_said(script: str) -> None:
    text, asked, _ = SCRIPTS[script]
    for word in asked:
        shown = snippet(text, parsed(word))
        assert "[" in shown, word
        assert shown.replace("[", "").replace("]", "") == text


def test_what_is_indexed_as_it_stands_is_what_sqlite_makes_of_it(index: Index) -> None:
    # Beyond these stand tags, variation selectors, and what is nobody's or private.
    # Of ideographs, syllables and the rarest scripts every seventh is enough.
    codes = chain(
        range(1, 0x3400),
        range(0x3400, 0xD800, 7),
        range(0xE000, 0x1F000, 7),
        range(0x1F000, 0x20000),
        range(0x20000, 0x32400, 7),
        range(0xE0000, 0xE0200),
        (0xF0000, sys.maxunicode),
    )
    alike = [one for one in map(chr, codes) if indexed(one) is None]
    assert len(alike) > 2000
    for begin in range(0, len(alike), 100):
        text = " ".join(alike[begin : begin + 100])
        index.put(text, as_it_stands=True)
        assert index.words() == [word for word, _, _ in tokens(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Is this the café in Mañana Street?",
        "Где мой заказ?",
        "मुझे पैसे वापस चाहिए।",
        "החזר",
        "எனக்கு பணம் வேண்டும்",
    ],
)
def test_common_scripts_take_no_second_text(text: str) -> None:
    assert indexed(text) is None


ALIKE = "aZ09 éÉ ñ Ơ ж Й א ب ي क ा ् ़ ে া ட ெ ா 'x-\u0301_.,«»“”।،ß退คืนﾞ\u200c\u200d\U0001f44d\U0001f3fd가ᄀ\u1161\u11a8½ªﷺ"
_TEXTS = st.text() | st.text(ALIKE) | st.lists(st.sampled_from([text for text, _, _ in SCRIPTS.values()])).map("".join)


@given(_TEXTS)
@settings(deadline=None)
def test_what_is_indexed_holds_the_words_of_a_text(text: str) -> None:
    with closing(Index()) as index:
        index.put(text)
        words = [word for word, _, _ in tokens(text)]
        indexed_words = index.words()
    assert [word.partition("x")[0] if is_character(word) else word for word in indexed_words] == words


@given(st.text(st.sampled_from("予約はカｶ\uf900㌀서แက字"), min_size=1, max_size=20))
def test_side_by_side_characters_are_the_words_that_each_is_alone(row: str) -> None:
    alone = [(word, at, at + 1) for at, one in enumerate(row) for word, _, _ in tokens(one)]
    assert [*tokens(row)] == alone
    assert (indexed(row) or "").split(" ") == paired([[word for word, _, _ in alone]])


def test_a_variant_among_other_characters_is_folded() -> None:
    assert [*tokens("予ｶ約\uf900。")] == [("予", 0, 1), ("カ", 1, 2), ("約", 2, 3), ("豈", 3, 4)]
    assert indexed("予ｶ約\uf900。は") == "予xカ カx約 約x豈 豈xは はx"


@given(_TEXTS)
@settings(deadline=None)
def test_to_fold_twice_is_to_fold_once(text: str) -> None:
    words = [word for word, _, _ in tokens(text)]
    assert [word for word, _, _ in tokens(" ".join(words))] == words


@given(_TEXTS, st.data())
@settings(deadline=None)
def test_words_cut_out_of_a_text_are_found(text: str, data: st.DataObject) -> None:
    said = list(tokens(text))
    if not said:
        return
    first = data.draw(st.integers(0, len(said) - 1))
    last = data.draw(st.integers(first, min(first + 5, len(said) - 1)))
    cut = text[said[first][1] : said[last][2]]
    with closing(Index()) as index:
        assert finds(index, f'"{cut}"'.replace('"', " ") if '"' in cut else f'"{cut}"', text)
    assert "[" in snippet(text, parsed(cut.translate(dict.fromkeys(map(ord, '"“”„«»'), " "))))


_ASKED = (
    st.lists(
        st.sampled_from(
            ["OR", "AND", "NOT", "NEAR(", "refund", "退款", "คืน", "-", '"', "*", "(", ")", "^", ":", "+", " ", "x"]
        )
        | st.text(max_size=3)
    ).map(" ".join)
    | st.text()
)


@given(_ASKED, _TEXTS)
@settings(deadline=None)
def test_whatever_is_asked_has_an_answer(asked: str, text: str) -> None:
    with closing(Index()) as index:
        try:
            finds(index, asked, text)
        except InvalidRefError:
            assert len(asked) > 200


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("refund", "ab"),
        ("refund please", "a"),
        ("refund AND please", "a"),
        ("refund OR cancel", "abc"),
        ("refund or cancel", ""),
        ("please refund OR cancel", "ac"),
        ("(refund OR cancel) please", "ac"),
        ("refund -please", "b"),
        ("refund NOT please", "b"),
        ('cancel OR refund -"a refund"', "bc"),
        ('"a refund"', "a"),
        ("“a refund”", "a"),
        ("„a refund“", "a"),
        ('"refund a"', ""),
        ('"a refund', "a"),
        ("canc*", "c"),
        ('"please canc"*', "c"),
        ("*fund", ""),
        ("-refund", ""),
        ("", ""),
        ('"OR"', "c"),
        ("OR refund OR", "ab"),
        ("refund -", "ab"),
        ("--refund", ""),
    ],
)
def test_the_language_is_that_of_search_boxes(asked: str, found: str, index: Index) -> None:
    texts = {"a": "I want a refund, please.", "b": "The refund.", "c": "Please cancel it, or keep it."}
    assert "".join(name for name, text in texts.items() if finds(index, asked, text)) == found


def test_more_words_than_anybody_looks_for_are_refused() -> None:
    with pytest.raises(InvalidRefError, match="at most 200"):
        parsed("x " * 201)


def test_of_a_long_turn_the_snippet_shows_where_most_of_it_stands() -> None:
    text = "refund " + "word " * 100 + "a refund by credit card " + "other " * 100
    shown = snippet(text, parsed('refund "credit card"'))
    assert "a [refund] by [credit card] other" in shown
    assert shown.startswith("…word ")
    assert shown.endswith("other…")
    assert len(shown) < 160


@pytest.mark.parametrize("text", ["x" * 10**6, "x " * 10**6, "退" * 10**6, "…" * 10**6])
def test_a_snippet_is_short_whatever_was_said(text: str) -> None:
    assert len(snippet(text, parsed("x 退"))) < 450
