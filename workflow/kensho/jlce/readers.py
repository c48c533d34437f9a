"""Public datasets in the form of our items; each reader takes the file as it was published.

Only test items are read: the worked examples of a prompt are ours, so that no dataset shows a
model its own answers.
"""

import csv
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

import pandas as pd

from kensho.jlce import items
from kensho.jlce.catalogue import PUBLIC

LABELS: dict[str, items.Entailment] = {
    "entailment": "含意",
    "contradiction": "矛盾",
    "neutral": "中立",
}
POLARITY: dict[str, items.Polarity] = {"1": "肯定", "-1": "否定"}
TRUTH: dict[str, items.Truth] = {"entailment": "真", "contradiction": "偽", "neutral": "不明"}
ARTICLE = re.compile(r"[a-z-]+-\d+\.txt")  # the licence and the read-me beside them are none
TITLE = " [SEP] "  # between title and text of a JSQuAD passage


def jsquad(path: Path) -> Iterator[items.Reading]:
    """JSQuAD (Kurihara et al. 2022), the 97 % of its questions with a gold in the text."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            title, mark, passage = paragraph["context"].partition(TITLE)
            if not mark:
                title, passage = "", title
            for question in paragraph["qas"]:
                golds = dict.fromkeys(answer["text"] for answer in question["answers"])
                answers = [gold for gold in golds if gold in passage]
                if answers:
                    yield items.Reading(
                        **_item(question["id"], f"{article['title']}-{number}"),
                        title=title or article["title"],
                        passage=passage,
                        question=question["question"],
                        answers=answers,
                    )


def jnli(path: Path) -> Iterator[items.Inference]:
    """JNLI (Kurihara et al. 2022); cluster = the captions that a pair was made of."""
    for row in _json_lines(path):
        yield items.Inference(
            **_item(row["sentence_pair_id"], row["yjcaptions_id"]),
            premise=row["sentence1"],
            hypothesis=row["sentence2"],
            label=LABELS[row["label"]],
        )


def jcommonsenseqa(path: Path) -> Iterator[items.Commonsense]:
    """JCommonsenseQA (Kurihara et al. 2022)."""
    for row in _json_lines(path):
        yield items.Commonsense(
            **_item(row["q_id"]),
            question=row["question"],
            choices=[row[f"choice{number}"] for number in range(5)],
            answer=row["label"],
        )


def jrte_sentiment(path: Path) -> Iterator[items.Sentiment]:
    """Hotel reviews of the JRTE corpus (Hayashibe 2020), its test part; neutral ones left out."""
    for name, label, text, _, part in _rows(path):
        if part == "test" and label != "0":
            yield items.Sentiment(**_item(name), text=text, label=POLARITY[label])


def jcola(path: Path) -> Iterator[items.Acceptability]:
    """JCoLA (Someya et al. 2024); cluster = the publication that a sentence comes from."""
    for row in _json_lines(path):
        yield items.Acceptability(
            **_item(row["uid"], row["source"]), text=row["sentence"], label=row["label"]
        )


def mgsm(path: Path) -> Iterator[items.Mathematics]:
    """MGSM, Japanese (Shi et al. 2022)."""
    for number, (question, answer) in enumerate(_rows(path)):
        value = float(answer.replace(",", ""))
        yield items.Mathematics(**_item(number), question=question, answer=value)


def neubaroco(path: Path) -> Iterator[items.Logic]:
    """NeuBAROCO's syllogisms (Ozeki et al. 2024); cluster = kind of inference."""
    header, *rows = _rows(path)
    for row in (dict(zip(header, row, strict=True)) for row in rows):
        yield items.Logic(
            **_item(row["ID"], row["inference-type"]),
            premises=row["premises_ja"],
            statement=row["hypothesis_ja"],
            label=TRUTH[row["gold"]],
            kind=row["inference-type"],
        )


def livedoor(path: Path) -> Iterator[items.Summary]:
    """Articles of the livedoor news corpus: a headline stands for a summary, cluster = category."""
    with tarfile.open(path) as archive:
        for member in archive:
            article = PurePath(member.name)
            if ARTICLE.fullmatch(article.name) and (file := archive.extractfile(member)):
                _, _, title, *body = file.read().decode().split("\n")
                yield items.Summary(
                    **_item(article.stem, article.parent.name),
                    text="\n".join(body).strip(),
                    summary=title,
                )


def tatoeba(pairs: pd.DataFrame, split: str) -> Iterator[items.Translation]:
    """Sentence pairs of the corpus (columns id, en, ja), English to Japanese."""
    for pair in pairs.itertuples():
        yield items.Translation(
            **_item(pair.id) | {"split": split}, text=pair.en, references=[pair.ja]
        )


def bsd(path: Path) -> Iterator[items.Translation]:
    """Business Scene Dialogue, English to Japanese (Rikters et al. 2019); cluster = scene."""
    for scene in json.loads(path.read_text(encoding="utf-8")):
        for turn in scene["conversation"]:
            yield items.Translation(
                **_item(f"{scene['id']}-{turn['no']}", scene["id"]),
                text=turn["en_sentence"],
                references=[turn["ja_sentence"]],
            )


def long_units(path: Path) -> Iterator[items.LongUnits]:
    """The sentences of UD_Japanese-GSD in long-unit words (UD_Japanese-GSDLUW)."""
    for one in universal_dependencies(path):
        fields = one.model_dump(include={"id", "split", "cluster", "text", "words", "upos"})
        yield items.LongUnits(**fields)


def universal_dependencies(path: Path) -> Iterator[items.Syntax]:
    """A Japanese treebank in CoNLL-U with bunsetsu in MISC (UD_Japanese-GSD)."""
    for sentence in path.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = sentence.split("\n")
        [name] = [line.split(" = ")[1] for line in lines if line.startswith("# sent_id")]
        rows = [line.split("\t") for line in lines if line[:1].isdigit()]
        rows = [row for row in rows if row[0].isdigit()]
        bunsetsu: list[str] = []
        for row in rows:
            if "BunsetuBILabel=B" in row[9] or not bunsetsu:
                bunsetsu.append("")
            bunsetsu[-1] += row[1]
        yield items.Syntax(
            **_item(name),
            text="".join(row[1] for row in rows),
            words=[row[1] for row in rows],
            upos=[row[3] for row in rows],
            heads=[int(row[6]) for row in rows],
            deprels=[row[7] for row in rows],
            bunsetsu=bunsetsu,
        )


FAULTS = (  # of a file that has another form than it was published in
    *(OSError, EOFError, LookupError, ValueError, TypeError, AttributeError),
    *(csv.Error, tarfile.TarError, zlib.error),
)
READERS: dict[str, Callable[[Path], Iterator[items.Item]]] = {
    "jsquad": jsquad,
    "jnli": jnli,
    "jcommonsenseqa": jcommonsenseqa,
    "jrte-sentiment": jrte_sentiment,
    "jcola": jcola,
    "mgsm-ja": mgsm,
    "neubaroco": neubaroco,
    "bsd": bsd,
    "livedoor-news": livedoor,
    "ud-japanese-gsd": universal_dependencies,
    "ud-japanese-gsdluw": long_units,
}


def read(name: str, path: Path) -> list[items.Item]:
    """All test items of a dataset. Raises ValueError naming a file that is not as published."""
    kind, reader = PUBLIC[name], READERS[name]
    try:
        tests = list(reader(path))
    except FAULTS as error:
        cause = (str(error).splitlines() or ["no text"])[0]
        raise ValueError(
            f"{path}: not {name} as it was published ({type(error).__name__}: {cause}); delete it "
            "to fetch it again"
        ) from None
    if not tests:
        raise ValueError(f"{path}: no {kind} item of {name}; delete it to fetch it again")
    return tests


def _item(name: object, cluster: object = None) -> dict:
    return {"id": str(name), "split": "test", "cluster": str(name if cluster is None else cluster)}


def _json_lines(path: Path) -> Iterator[dict]:
    with open(path, encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _rows(path: Path) -> Iterator[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
