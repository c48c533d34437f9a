"""The one prompt of the translation task, shared by training and evaluation."""

PROMPT = "English: {en}\nJapanese:"
DELIMITER = " "  # between prompt and translation


def prompt(english: str) -> str:
    return PROMPT.format(en=english)


def completion(japanese: str) -> str:
    return DELIMITER + japanese
