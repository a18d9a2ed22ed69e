"""What splits are called. Oracle: dictionaries of the languages named."""

import pytest

from cnnrun.data.split_words import meant_split

WORDS = {
    "Spanish": ("entrenamiento", "validación", "prueba"),
    "Spanish, as pupils say it": ("ejercicio", "comprobación", "examen"),
    "Portuguese": ("treino", "validação", "teste"),
    "French": ("apprentissage", "validation", "épreuve"),
    "Italian": ("addestramento", "convalida", "collaudo"),
    "German": ("Lerndaten", "Überprüfung", "Prüfdaten"),
    "German without umlauts": ("Uebung", "ueberpruefung", "pruefen"),
    "Dutch": ("oefenen", "validatie", "toetsen"),
    "Swedish": ("träning", "validering", "provet"),
    "Danish": ("træning", "validering", "prøve_test"),
    "Polish": ("trenowanie", "walidacja", "egzamin"),
    "Turkish": ("eğitim", "doğrulama", "s\u0131nav"),
    "Vietnamese": ("huấn luyện", "xác thực", "kiểm tra"),
    "Russian": ("обучение", "проверка", "тест"),
    "Greek": ("εκπαίδευση", "επικύρωση", "δοκιμή"),
    "Chinese": ("训练集", "验证集", "测试集"),
    "Japanese": ("訓練データ", "検証用", "テスト"),
    "Korean": ("학습", "검증", "시험"),
    "Arabic": ("التدريب", "التحقق", "اختبار"),
    "Hindi": ("प्रशिक्षण", "सत्यापन", "परीक्षण"),
    "code": ("learn", "holdout", "exam"),
}


@pytest.mark.parametrize("language", WORDS)
def test_words_for_splits(language: str) -> None:
    assert tuple(map(meant_split, WORDS[language])) == ("train", "validation", "test")


@pytest.mark.parametrize(
    "name", ["cat", "tennis", "tree", "transit", "provolone", "koala", "proteus", "healthy", "bus"]
)
def test_names_of_classes_are_no_such_words(name: str) -> None:
    assert meant_split(name) is None
