"""The number that a written answer gives.

Digits are read as they stand (ASCII, full-width, any decimal digit of Unicode); nothing is folded
first, for folding makes digits of what is none: ㎡ would be m2, ①12 be 112, 10² be 102.
"""

import math
import re
import unicodedata

LONGEST = 20_000  # characters at the end of an answer that are read
NEAR = 8  # characters before a sign that decide on it
FIGURE = r"(?:\d{1,3}(?:(?:[,，]|\{,\})\d{3})+(?!\d)|\d+)(?:[.．]\d+)?"
AMOUNT = rf"(?:(?:{FIGURE}[百千]?[万億兆]|{FIGURE}[百千])+(?:{FIGURE})?|{FIGURE})"
TERM = re.compile(rf"({FIGURE})([百千]?)([万億兆]?)")
TIMES = {"": 1, "百": 1e2, "千": 1e3, "万": 1e4, "億": 1e8, "兆": 1e12}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
POWER = r"(?:\^\{{?(?P<{0}exponent>[-−]?\d{{1,3}})\}}?|(?P<{0}raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,3}}))"
LABELS = "問第式図表例"  # 問1 1/2 is a half
NUMBER = re.compile(
    r"(?P<sign>マイナス[ \u3000]?|ー|[-−－‐‑–▲△][ \u3000]?)?"
    r"(?<![A-Za-zＡ-Ｚａ-ｚ\d_^])(?<!\d[.．])"  # m2, CO2, x_1 and the tail of 3.14 are no numbers
    rf"(?:(?:(?P<whole>{FIGURE})と)?(?P<under>{AMOUNT})分の(?P<over>{AMOUNT})"
    rf"|(?:(?P<units_top>\d{{1,9}}) ?)?\\[dt]?frac\{{(?P<top>{FIGURE})\}}\{{(?P<bottom>{FIGURE})\}}"
    rf"|(?:(?<![{LABELS}])(?P<units_left>\d{{1,9}})[ \u3000と])?"
    rf"(?<![/／⁄])(?P<left>{FIGURE})\s?[/／⁄]\s?(?P<right>{FIGURE})(?!\s?[/／⁄\d])"
    rf"|(?P<units>{FIGURE})?(?P<vulgar>[¼-¾⅐-⅞↉])"
    rf"|(?P<mantissa>{FIGURE}) ?[×✕xX*·⋅・] ?10{POWER.format('ten_')}"
    rf"|(?P<scaled>{FIGURE}[eE][-+]?\d{{1,3}})(?![A-Za-z\d])"
    rf"|(?P<base>{FIGURE}){POWER.format('')}"
    rf"|(?P<amount>{AMOUNT}))"
)
FRACTIONS = (  # groups of NUMBER: numerator, denominator, whole part
    ("over", "under", "whole"),
    ("top", "bottom", "units_top"),
    ("left", "right", "units_left"),
)
# groups of three between thin spaces, or between plain ones where a unit follows: 1 234円
GROUPED = re.compile(
    r"(?<![\d.．,，])(?:\d{1,3}(?:[\u00a0\u2007\u2009\u202f]\d{3})+(?!\d)"
    r"|(?<!\d )(?:(?<=[はがをもでと約計、。:：=＝(（「¥￥ \n])|(?<!.))"
    r"\d{1,3}(?: \d{3})+(?=[^\W\d_]|[%％]))"
)
KEYCAP = re.compile("\\d\ufe0f?\u20e3")
ASIDE = re.compile(r"[(（][^()（）]*[)）]")
# what a minus sign cannot follow: there it takes away, or means a range
LEFT = re.compile(r"(?:[\d)）\]}%％A-Za-z²³㎜-㏄]|\d\s?(?:[^\W\d_ぁ-ん]{1,3}|つ))$")
OPENS = re.compile(r"[はがをもでとに=＝≒≈→:：(（、]$")  # what a sign may follow that stands off
LONG_VOWEL = re.compile(r"[ァ-ヺーぁ-ん]$")  # コーヒー3杯; but 答えはー3
DENIED = re.compile(
    r"[^\d、。\s]{0,4}?[」』]?(?:では|じゃ)(?:な[いくか]|ありません)(?!で?しょう|だろう|か(?![らも]))"
)
STATED = re.compile(
    r"((?:答え?|解答|回答|正解)(?:(?:となる|になる)のは|としては|は|が|\s*[:：=＝→]|\s+)"
    r"|(?i:answer)(?:\s+is|\s*[:：])|####)"
)
CALCULATES = re.compile(r"を|足[しす]|引[いきく]|掛け|かけ|割[っりる]|加え|求め|計算|手順")
SENTENCE_END = re.compile(r"[。｡！!\n]|[.．](?!\d)")


def last_number(answer: str) -> float | None:
    """The number that an answer gives, or None.

    It is the last number of the last sentence that says 答えは…, 答え：…, Answer: ... or
    ``\\boxed{...}`` and only states a number; without one, the last number of all (MGSM's rule, Shi
    et al. 2022). Numbers in brackets count where there are no others, numbers that are denied
    (3ではなく) never. Read are commas (1,234), 万 and its like behind digits (1万2000), fractions
    (3分の1, 2/3, ½) and mixed numbers whose fraction is below one (1と1/2, 1 1/2, 1½), powers (10³)
    and powers of ten (3.5×10^3, 2.5e-3), and signs (-, −, －, マイナス, ▲; ー where it is no long
    vowel; one that stands off only behind は, が, = and their like, as ``- 3`` may be an item of a
    list). Thin spaces between groups of three are read as commas, plain ones only where a unit
    follows (1 234円): 12 345 may be two numbers. Of a range or a date the last number counts, of
    50% the 50. No numbers are circled digits, the digits of units and names (㎡, cm2, CO₂), and
    kanji (十二).
    """
    answer = re.sub(r"\\(?:times|cdot)(?![A-Za-z])", "×", answer[-LONGEST:])
    answer = GROUPED.sub(lambda groups: re.sub(r"\s", "", groups.group()), answer)
    text = KEYCAP.sub(" ", re.sub(r"\\boxed\s*\{", " 答えは ", answer))
    text = re.sub(r"\\(?![dt]?frac\{)(?:[A-Za-z]+|[()\[\],;!: ])?", _plain, text)
    parts = STATED.split(text)  # what stands between the markers, and the markers
    for marker, after in zip(parts[-2::-2], parts[:1:-2], strict=True):
        opens = " " if marker[-1].isspace() else "="  # 答え - 3個, 答えは - 3
        sentence = opens + SENTENCE_END.split(after, maxsplit=1)[0]
        numbers = _numbers(sentence)
        if numbers and not CALCULATES.search(ASIDE.sub("", sentence[numbers[-1][1] :])):
            return numbers[-1][0]
    numbers = _numbers(text)
    return numbers[-1][0] if numbers else None


def _plain(command: re.Match) -> str:
    """LaTeX's thin spaces join digits (1\\,234); of other commands a space is left."""
    return "" if command.group() in ("\\", "\\,", "\\!") else " "


def _numbers(text: str) -> list[tuple[float, int]]:
    """Values of a text's numbers, and where each ends; asides only where there is nothing else."""
    matches = [match for match in NUMBER.finditer(text) if not DENIED.match(text, match.end())]
    blanked = ASIDE.sub(lambda aside: " " * len(aside.group()), text)
    outside = [match for match in matches if blanked[match.start()] != " "]
    values = [
        (_value(match, text[max(0, match.start() - NEAR) : match.start()]), match.end())
        for match in outside or matches
    ]
    return [(value, end) for value, end in values if value is not None]


def _value(match: re.Match, before: str) -> float | None:
    groups = {key: value for key, value in match.groupdict().items() if value is not None}
    fraction = next((names for names in FRACTIONS if names[0] in groups), None)
    if fraction:
        over, under, whole = (_amount(groups.get(name, "")) for name in fraction)
        if not under:
            return None
        value = over / under + (whole if over < under else 0)
    elif "vulgar" in groups:
        value = unicodedata.numeric(groups["vulgar"]) + _amount(groups.get("units", ""))
    elif "mantissa" in groups:
        exponent = groups.get("ten_exponent") or groups["ten_raised"]
        value = float(f"{_amount(groups['mantissa'])}e{int(exponent.translate(RAISED))}")
    elif "scaled" in groups:
        value = float(re.sub(r"[,，{}]", "", groups["scaled"]).replace("．", "."))
    elif "base" in groups:
        exponent = groups.get("exponent") or groups["raised"]
        try:
            value = _amount(groups["base"]) ** int(exponent.translate(RAISED))
        except (OverflowError, ZeroDivisionError):
            return None
    else:
        value = _amount(groups["amount"])
    if not math.isfinite(value):
        return None
    return -value if _negative(groups.get("sign"), before) else value


def _amount(text: str) -> float:
    """1万2000 as 12000."""
    return sum(
        float(re.sub(r"[,，{}]", "", figure).replace("．", ".")) * TIMES[small] * TIMES[large]
        for figure, small, large in TERM.findall(text)
    )


def _negative(sign: str | None, before: str) -> bool:
    if sign is None or LEFT.search(before):
        return False
    if sign[-1].isspace() and sign[0] != "マ" and not OPENS.search(before.rstrip(" \u3000")):
        return False  # a dash, or the mark of a list
    if sign == "ー" and LONG_VOWEL.search(before):
        return before.endswith(("は", "が", "を", "も", "と", "で"))
    return True
