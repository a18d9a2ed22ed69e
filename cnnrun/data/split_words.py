"""What splits are called in many languages.

Such a word alone decides nothing: a folder called so may be a class. Several that mean different
splits, side by side, are a reason to ask.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from cnnrun.data.image_tree import split_kind
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION

# How words begin, without accents: English and code, Spanish, Portuguese, French, Italian,
# Romanian, German, Dutch, Swedish, Danish and Norwegian, Finnish, Polish, Czech, Hungarian,
# Turkish, Indonesian, Vietnamese, Swahili, Greek, Russian and Ukrainian.
_BEGINNINGS: Final[Mapping[str, str]] = {
    TRAIN: """train learn study practi exercis entren ejerc aprend trein exerc entrain
        appren addestr allena eserciz antren invat lern uebung ueben ubung anlern
        oefen leren leerset leerdata traning trana trening traening opplaer harjoit
        opetus koulut trenow cwicz ucze uczac trenov uceni tanul tanit gyakor egit
        ogren alistir latih pelatih huanluyen hocmau mafunzo εκπαιδ ασκησ обуч трен
        упраж учеб навч""",
    VALIDATION: """valid dev holdout heldout eval comprob verif control kontrol convalid uberpruf
        ueberpruef bekraft walid sprawdz overen ellenor dogrul gecerl kiemdinh xacthuc
        επικυρ валид проверк перевірк""",
    TEST: """test exam quiz unseen prueb ensay prova provas ensai epreuv essai esame
        collaud proben pruf pruef toets proef provet provning provdata kokeen
        koeaineisto egzam zkous vizsg probak sinav denem uji kiemtra jaribio δοκιμ
        εξετ тест экзам испыт іспит""",
}
# Parts of words, in scripts that put no spaces between them or begin words with an article:
# Chinese, Japanese, Korean, Arabic, Hebrew, Hindi, Thai.
_PARTS: Final[Mapping[str, str]] = {
    TRAIN: "训练 訓練 トレーニング 学习 學習 学習 练习 練習 훈련 학습 연습 تدريب אימון प्रशिक्षण ฝึก",
    VALIDATION: "验证 驗證 検証 검증 تحقق אימות सत्यापन ตรวจสอบ",
    TEST: "测试 測試 试验 試験 考试 考試 テスト 시험 테스트 평가 اختبار מבחן בדיקה परीक्षण ทดสอบ",
}
_LETTERS: Final = str.maketrans({"æ": "ae", "ø": "o", "\u0131": "i", "ł": "l", "đ": "d"})


@lru_cache(maxsize=4096)
def meant_split(name: str) -> str | None:
    """The split that a folder's name may mean: "train", "validation", "test"; None for others."""
    usual = split_kind(name)
    if usual:
        return usual
    words = _words(name)
    for word in (*words, "".join(words)):
        for split, beginnings in _FOLDED_BEGINNINGS.items():
            if word.startswith(beginnings):
                return split
    whole = _folded(name)
    for split, parts in _FOLDED_PARTS.items():
        if any(part in whole for part in parts):
            return split
    return None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W\d_]+", _folded(spaced))


def _folded(text: str) -> str:
    """Text without accents and case."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


_FOLDED_BEGINNINGS: Final = {
    split: tuple(_folded(each) for each in words.split()) for split, words in _BEGINNINGS.items()
}
_FOLDED_PARTS: Final = {
    split: tuple(_folded(each) for each in words.split()) for split, words in _PARTS.items()
}
