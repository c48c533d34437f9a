"""Precision, recall and F1 of the linguistic rules: honorifics and zero pronouns.

Honorifics: sentences of our own (the half that guided no rule) and KeiCO (CC BY 4.0, the half that
guided none: odd sha256 of the sentence). A sentence counts as having a class if one form of it is
found; `sure` leaves `possible` forms out, `possible` counts them. KeiCO flags nearly always one of
three classes per sentence, so its own reading is given too: teineigo only where no other class is.
Zero pronouns: WikipediaAnnotatedCorpus (CC BY-SA 4.0), documents in the order of the sha256 of
their names. Set KENSHO_MIRROR to the folder of the corpora.
"""

import hashlib
import os
import tarfile
from importlib.metadata import version
from pathlib import Path

import machine
import pandas as pd
from kensho.augment.honorific import left_out
from kensho.augment.parsing import parser
from kensho.linguistics.honorifics import KINDS, WORDS, tag
from kensho.linguistics.tokens import ANALYSERS
from kensho.linguistics.zero_pronouns import CASES, PREDICATES, gaps
from rhoknp import Document
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

KEICO = "keico/keico_corpus(forLREC)-OldVersion.csv"
KNP = "wikipedia-annotated-corpus/knp-train-dev.tar.gz"
DOCUMENTS = 400
FLAGS = {"尊敬語": "sonkeigo", "謙譲語": "kenjougo", "丁寧語": "teineigo"}
GOLD_CASES = {"ga": "ガ", "wo": "ヲ", "ni": "ニ"}


def scores(gold: pd.Series, predicted: pd.Series) -> str:
    """Precision, recall and F1 of two boolean columns, with the number of true rows."""
    hits, had, right = (gold & predicted).sum(), predicted.sum(), gold.sum()
    precision, recall = hits / had if had else float("nan"), hits / right
    f1 = 2 * hits / (had + right)
    return f"P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  ({right} of {len(gold)})"


def kinds(texts: pd.Series, analyser: str, possible: bool) -> pd.DataFrame:
    """One boolean column per class: whether a sentence has a form of it."""
    tags = [tag(text, analyser) for text in texts]
    rows = [{one.kind for one in tagged if possible or not one.possible} for tagged in tags]
    table = {kind: [kind in row for row in rows] for kind in KINDS}
    return pd.DataFrame(table, index=texts.index)


def even(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[-1] % 2 == 0


def own() -> None:
    gold = pd.read_csv(WORDS.with_name("honorifics.csv")).query("split == 'held-out'")
    for analyser in ANALYSERS:
        for possible in (False, True):
            tagged = kinds(gold["sentence"], analyser, possible)
            print(f"own sentences, held-out, {analyser}, {'possible' if possible else 'sure'}")
            for kind in KINDS:
                print(f"  {kind:<10}{scores(gold[kind] == 1, tagged[kind])}")


def keico(mirror: Path) -> None:
    table = pd.read_csv(mirror / KEICO, dtype=str)
    text, labels = table["本文"], table[list(FLAGS)].rename(columns=FLAGS) == "1"
    test = ~text.map(even)
    flagged = labels.sum(axis=1).value_counts().sort_index().to_dict()
    print(f"KeiCO: sentences by number of flags: {flagged}")
    tagged = {one: kinds(text, "sudachi", one) for one in (False, True)}
    for possible, forms in tagged.items():
        humble = forms["kenjougo"] | forms["teichougo"]
        plain = {"sonkeigo": forms["sonkeigo"], "kenjougo": humble, "teineigo": forms["teineigo"]}
        alone = forms["teineigo"] & ~forms["sonkeigo"] & ~humble
        name = "possible" if possible else "sure"
        print(f"KeiCO, held-out, sudachi, {name} (kenjougo holds teichougo, as its flag does)")
        for kind, column in plain.items():
            print(f"  {kind:<22}{scores(labels[kind][test], column[test])}")
        print(f"  {'teineigo, none else':<22}{scores(labels['teineigo'][test], alone[test])}")
    learned(text, labels, test)
    contradictions(text, labels, tagged)


def learned(text: pd.Series, labels: pd.DataFrame, test: pd.Series) -> None:
    """A model of KeiCO's own labels, fitted on its other half: how far they can be predicted."""
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
    fitted, asked = grams.fit_transform(text[~test]), grams.transform(text[test])
    print("KeiCO, held-out, logistic regression of character n-grams fitted on its other half")
    for kind in labels:
        model = LogisticRegression(C=20, max_iter=2000, class_weight="balanced")
        printed = model.fit(fitted, labels[kind][~test]).predict(asked)
        column = pd.Series(printed, index=text.index[test])
        print(f"  {kind:<22}{scores(labels[kind][test], column)}")


def contradictions(text: pd.Series, labels: pd.DataFrame, tagged: dict) -> None:
    """Labels of all of KeiCO that the definitions contradict, counted by plain strings and tags."""
    polite = text.str.contains("です|ます|ました|ません|でしょう")
    print(f"KeiCO, all: {polite.sum()} sentences hold です or ます; of these", end=" ")
    print(f"{(polite & ~labels['teineigo']).sum()} have no teineigo flag")
    for form in ("させていただ", "申し上げ", "いたします", "伺"):
        holds = text.str.contains(form)
        humble, raised = labels["kenjougo"], labels["sonkeigo"] & ~labels["kenjougo"]
        print(
            f"  {form}: {holds.sum()} sentences, {(holds & humble).sum()} flagged kenjougo,", end=""
        )
        print(f" {(holds & raised).sum()} sonkeigo only")
    for kind in ("sonkeigo", "kenjougo"):
        forms = tagged[True][["sonkeigo", "kenjougo", "teichougo"]].any(axis=1)
        bare = labels[kind] & ~forms
        print(f"  flagged {kind}, and no humble or raising form even possible: {bare.sum()}")


def transformed(mirror: Path) -> None:
    counts = left_out(pd.read_csv(mirror / KEICO, dtype=str)["本文"])
    print(f"honorific transformation of KeiCO's {counts.sum()} sentences")
    for outcome, count in counts.items():
        print(f"  {count:>6} {outcome}")


def zero_pronouns(mirror: Path) -> None:
    with tarfile.open(mirror / KNP) as archive:
        names = [name for name in archive.getnames() if name.endswith(".knp")]
        names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        texts = [archive.extractfile(name).read().decode() for name in names[:DOCUMENTS]]
    sentences = [one for text in texts for one in Document.from_knp(text).sentences]
    docs = parser().pipe([one.text for one in sentences], batch_size=64)
    rows = [row for one, doc in zip(sentences, docs, strict=True) for row in phrases(one, doc)]
    table = pd.DataFrame(rows)
    print(
        f"zero pronouns: {len(texts)} of {len(names)} documents, {len(sentences)} sentences,",
        end="",
    )
    print(f" {int(table['predicate'].sum())} verbs and adjectives of the corpus")
    for case in CASES:
        gold = table[f"gold {case}"] & table["predicate"]
        print(f"  {case}  rules     {scores(gold, table[case])}")
        print(f"  {case}  baseline  {scores(gold, table['parsed'])}")


def phrases(sentence, doc) -> list[dict]:
    """Base phrases with what the corpus and the rules say of each case.

    Gold: a verb or adjective whose argument stands neither in its own dependents nor as the noun
    that it modifies (omission or exophora). ``parsed``: GiNZA sees a verb or adjective, each of
    which lacks every case to the baseline.
    """
    missing = gaps(doc)
    heads = [token.idx for token in doc if token.pos_ in PREDICATES]
    rows, begin = [], 0
    for phrase in sentence.base_phrases:
        end = begin + len(phrase.text)
        row = {
            "predicate": any(one.pos in {"動詞", "形容詞"} for one in phrase.morphemes),
            "parsed": any(begin <= place < end for place in heads),
        }
        for case, name in GOLD_CASES.items():
            arguments = phrase.pas.get_arguments(name, relax=False) if phrase.pas else []
            kinds_of = {one.type.name for one in arguments}
            row[f"gold {case}"] = bool(kinds_of) and kinds_of <= {"OMISSION", "EXOPHORA"}
            row[case] = any(one.case == case and begin <= one.begin < end for one in missing)
        rows.append(row)
        begin = end
    return rows


if __name__ == "__main__":
    mirror = Path(os.environ["KENSHO_MIRROR"])
    packages = ("SudachiPy", "SudachiDict-core", "fugashi", "unidic-lite", "ginza", "rhoknp")
    print(machine.describe())
    print(", ".join(f"{name} {version(name)}" for name in packages))
    own()
    keico(mirror)
    transformed(mirror)
    zero_pronouns(mirror)
