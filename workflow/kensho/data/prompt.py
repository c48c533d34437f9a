"""The one prompt of the translation task, shared by training and evaluation."""

PROMPT = "English: {en}\nJapanese:"
BACK = "Japanese: {ja}\nEnglish:"
DELIMITER = " "  # between prompt and translation


def prompt(english: str) -> str:
    return PROMPT.format(en=english)


def prompt_back(japanese: str) -> str:
    """The prompt of the other direction, which training alone has."""
    return BACK.format(ja=japanese)


def completion(translation: str) -> str:
    return DELIMITER + translation
