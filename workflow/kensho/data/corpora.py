"""Corpora: entries of config/corpora.yaml and of `corpora.own`, and what a run makes of them."""

from collections.abc import Collection, Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import ConfigDict, Field, ValidationError, model_validator

from kensho.data.hub import Commit, HubName, Locked
from kensho.data.licences import LicenceClass
from kensho.data.lines import LONGEST
from kensho.data.sources import Source
from kensho.validation import Count, Name, Section, Share, problems, read_yaml, suggestion

LOCK = "config/corpora.lock.yaml"
MEND = "run `snakemake --profile local lock_corpora`"
Kind = Literal["text", "pairs", "dialogue"]
Tables = Literal["jsonl", "csv", "parquet"]
Published = Literal["tatoeba", "aozora", "livedoor", "wikipedia-annotated", "real-persona-chat"]
KINDS: dict[str, Kind] = {"tatoeba": "pairs", "real-persona-chat": "dialogue"}
SUFFIXES: dict[str, Tables] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
LANGUAGES: dict[Kind, tuple[str, ...]] = {
    "text": ("ja", "en"),
    "dialogue": ("ja", "en"),
    "pairs": ("ja-en", "en-ja"),
}
READ = ("format", "fields", "language", "attribution")
OWN = (*READ, "licence", "licence_class")
OF_PLACES = {  # a corpus of sources is under their licences, a mixture all that its parts are
    "hub": ("files", "first", "revision", *OWN),
    "sources": READ,
    "path": OWN,
    "mixture": ("size", "unit"),
}
RESERVED = ("augmented",)  # a folder of results/data
Column = Annotated[str, Field(min_length=1)]
Filter = Literal[
    "control",
    "html",
    "short",
    "long",
    "japanese",
    "repetition",
    "fineweb2",
    "adult",
    "adult-en",
    "violence",
    "discrimination",
    "advertisements",
    "comments",
    "rare-kuten",
    "mask-personal-information",
]


class Fields(Section):
    """Columns or keys of a table that hold what the schema wants."""

    text: Column | None = Field(None, description="of a text; `text` where nothing is named")
    ja: Column | None = Field(None, description="Japanese side of a pair")
    en: Column | None = Field(None, description="its English side")
    turns: Column | None = Field(None, description="of a dialogue: list of speaker and text")
    document: Column | None = Field(None, description="the source's own name of a document")
    numbers: list[Column] = Field([], description="kept, and looked at for missing values")


class Corpus(Section):
    """One corpus, or with ``mixture`` a weighing of several."""

    model_config = ConfigDict(frozen=True)

    hub: HubName | None = Field(None, description="dataset of the hub, as Parquet files")
    files: str | None = Field(None, description="pattern of its files there")
    first: Count | None = Field(None, description="of them are taken; null for all")
    revision: Commit | None = Field(None, description="commit to lock; null for that of main")
    sources: list[Name] = Field([], description="entries of config/sources.yaml")
    path: Column | None = Field(None, description="your file or, with *, files")
    mixture: dict[Name, Share] = Field({}, description="weight of each corpus")
    size: Annotated[int, Field(ge=1)] | None = Field(None, description="of a mixture, in its unit")
    unit: Literal["documents", "characters"] = "documents"
    format: Tables | Published | None = Field(None, description="null for that of the suffix")
    licence: str | None = None
    licence_class: LicenceClass | None = None
    attribution: str = ""
    language: Literal["ja", "en", "ja-en", "en-ja"] = Field(
        "ja", description="of pairs from which into which"
    )
    fields: Fields = Fields()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        places = [key for key in ("hub", "sources", "path", "mixture") if getattr(self, key)]
        if len(places) != 1:
            raise ValueError("one place is needed; name one of hub, sources, path and mixture")
        if self.hub and not self.files:
            raise ValueError("a dataset of the hub has many files; name them by `files`")
        if self.mixture and not self.size:
            raise ValueError("a mixture has no end of its own; put its `size`")
        if (self.hub or self.path) and not self.licence_class:
            raise ValueError("its licence is not known; put `licence_class`")
        if self.sources and not self.format:
            raise ValueError("its form is not known; put `format`")
        if self.path and not self.format and self.suffix not in SUFFIXES:
            raise ValueError(f"a file like {self.path} has no known form; put `format`")
        fields = self.fields
        if bool(fields.ja) != bool(fields.en):
            raise ValueError("a pair has two sides; name both fields.ja and fields.en")
        if len(held := [k for k in ("text", "ja", "turns") if getattr(fields, k)]) > 1:
            named = " and ".join(f"fields.{key}" for key in held)
            raise ValueError(f"a row is a text, a pair or a dialogue, not {named}; leave one out")
        if idle := self._idle(*places):
            raise ValueError(f"`{idle[0]}` says nothing of {idle[1]}; leave it out")
        if not self.mixture and self.language not in LANGUAGES[self.kind]:
            known = " or ".join(LANGUAGES[self.kind])
            raise ValueError(
                f"'{self.language}' is no language of {self.kind}; put `language`: {known}"
            )
        return self

    def _idle(self, place: str) -> tuple[str, str] | None:
        """A key that is set and does nothing, and what has no use for it."""
        fields = type(self).model_fields.items()
        there = {key for key, field in fields if getattr(self, key) != field.default}
        others = {key for keys in OF_PLACES.values() for key in keys} - {*OF_PLACES[place]}
        if idle := sorted(there & others):
            return idle[0], f"a corpus by `{place}`"
        if "fields" in there and self.form in get_args(Published):
            return "fields", f"the form {self.form}"
        return None

    @property
    def suffix(self) -> str:
        return Path(str(self.path).removesuffix(".gz").removesuffix(".xz")).suffix

    @property
    def form(self) -> str:
        return self.format or ("parquet" if self.hub else SUFFIXES[self.suffix])

    @property
    def kind(self) -> Kind:
        if self.form in KINDS:
            return KINDS[self.form]
        return "pairs" if self.fields.ja else "dialogue" if self.fields.turns else "text"


class FineWeb2(Section):
    """Thresholds of FineWeb-2 for Japanese (arXiv 2506.20920; configs/jpn_Jpan.yml of the code)."""

    page: Count = Field(200, description="characters; a shorter text is no page and not judged")
    duplicated_lines: Share = Field(0.375, description="at most, of all lines")
    top_2_grams: Share = Field(0.121, description="at most, of all characters")
    top_3_grams: Share = 0.129
    top_4_grams: Share = 0.145
    punctuated_lines: Share = Field(0.167, description="at least, of all lines")
    newline_ratio: Share = Field(0.162, description="line ends per word, at most")
    language_score: Share = Field(0.886, description="at least, where a corpus brings that number")


class Corpora(Section):
    """Settings of the target `corpora`."""

    make: list[Name] = Field([], description="corpora and mixtures of the target `corpora`")
    own: dict[Name, Corpus] = Field(
        {}, description="corpora of your own, as in config/corpora.yaml (docs/corpora.md)"
    )
    shards: Annotated[int, Field(ge=1, le=10_000)] = Field(4, description="jobs of each corpus")
    filters: list[Filter] = Field(
        ["control", "html", "short", "long", "japanese", "repetition", "fineweb2"],
        description="in this order; of lists of words none unless it is named here",
    )
    min_characters: Count = 5
    max_characters: Count = 50_000
    max_row_bytes: Annotated[int, Field(ge=1, lt=2**31)] = Field(
        LONGEST, description="a longer line or cell is not read"
    )
    fineweb2: FineWeb2 = Field(FineWeb2(), description="FineWeb-2's for Japanese web pages")
    near_duplicate: Share = Field(
        0.8, description="Jaccard similarity of character 5-grams, as MinHash estimates it"
    )
    perplexity: Count | None = Field(
        None, description="documents of each corpus that train.base reads; null for none"
    )


def load(path: Path | str) -> tuple[dict[str, Corpus], list[str]]:
    """Corpora by name and the problems of the file, one line each."""
    return _entries(path, Corpus, "corpora")


def load_lock(path: Path | str = LOCK) -> tuple[dict[str, Locked], list[str]]:
    """Locked files of corpora of the hub by corpus, none without a file, and its problems."""
    return _entries(path, Locked, "locked corpora") if Path(path).is_file() else ({}, [])


def _entries(path: Path | str, model, of_what: str) -> tuple[dict, list[str]]:
    try:
        raw = read_yaml(Path(path)) or {}
    except (OSError, ValueError) as error:
        return {}, [str(error)]
    if not isinstance(raw, dict):
        return {}, [f"{path}: expected a mapping of {of_what} by name"]
    entries, faults = {}, []
    for name, entry in raw.items():
        try:
            entries[name] = model.model_validate(entry)
        except ValidationError as error:
            faults += problems(error, str(path), model, under=name)
    return entries, faults


def unfit(
    settings: Corpora,
    listed: Mapping[str, Corpus],
    sources: Mapping[str, Source],
    licences: Collection[str],
) -> Iterator[str]:
    """Why the corpora that are asked for cannot be made as they are named, one line each."""
    known = {**listed, **settings.own}
    for name in settings.own:
        if name in listed or name in RESERVED:
            yield f"config: corpora.own.{name}: the name is taken; rename it"
    for name, corpus in known.items():
        where = f"config: corpora.own.{name}" if name in settings.own else f"corpora: {name}"
        for part in corpus.mixture:
            if part not in known or known[part].mixture:
                texts = [other for other, one in known.items() if not one.mixture]
                yield f"{where}.mixture: no corpus '{part}', {suggestion(part, texts)}"
        for source in corpus.sources:
            if source not in sources:
                yield (
                    f"{where}.sources: '{source}' is not in config/sources.yaml, "
                    f"{suggestion(source, sources)}"
                )
    for name in settings.make:
        if name not in known:
            yield f"config: corpora.make: no corpus '{name}', {suggestion(name, known)}"
    for name in parts(settings, known):
        for kind in sorted({*classes(known[name], sources)} - {*licences}):
            yield (
                f"config: corpora.make: '{name}' is under licence class {kind}; add it to "
                "licences if you accept it"
            )


def parts(settings: Corpora, known: Mapping[str, Corpus]) -> list[str]:
    """Corpora that are asked for, with those that mixtures draw on."""
    named = [name for name in settings.make if name in known]
    drawn = [part for name in named for part in known[name].mixture if part in known]
    return [*dict.fromkeys(name for name in [*named, *drawn] if not known[name].mixture)]


def mixtures(settings: Corpora, known: Mapping[str, Corpus]) -> list[str]:
    return [name for name in settings.make if name in known and known[name].mixture]


def classes(corpus: Corpus, sources: Mapping[str, Source]) -> list[str]:
    """Licence classes of a corpus: its own, or those of its sources."""
    if corpus.licence_class:
        return [corpus.licence_class]
    return [sources[name].licence_class for name in corpus.sources if name in sources]


def credits(corpus: Corpus, sources: Mapping[str, Source]) -> list[str]:
    """Whose a corpus is: as it says, or as its sources do."""
    each = [corpus.attribution, *(sources[name].attribution for name in corpus.sources)]
    return [*dict.fromkeys(filter(None, each))]


def absent(name: str, corpus: Corpus, lock: Mapping[str, Locked]) -> str | None:
    """Why a corpus cannot be read now: the hub's files are not pinned, or its own are not there."""
    if corpus.hub:
        if name not in lock:
            return f"corpus {name}: not pinned, so nothing of it is read; {MEND}"
        if corpus.revision not in (None, lock[name].commit):
            return f"corpus {name}: pinned at another commit than its `revision`; {MEND}"
    if corpus.path and not _there(corpus.path):
        return f"corpus {name}: no file {corpus.path}; put it there, or mend its `path`"
    return None


def file_names(name: str, corpus: Corpus, lock: Mapping[str, Locked]) -> list[str]:
    """Its files in their order, as rows are named by them: paths, sources, or files of the hub."""
    if corpus.hub:
        return [*lock[name].files] if name in lock else []
    return corpus.sources or _there(str(corpus.path))


def _there(pattern: str) -> list[str]:
    """Files of a pattern, no folders."""
    return sorted(path for path in glob(pattern) if Path(path).is_file())


def dealt(files: list[str], shard: int, shards: int) -> list[int]:
    """Numbers of the files of a shard: some of them whole, or all where there are fewer."""
    numbers = range(len(files))
    return [*numbers[shard::shards]] if len(files) >= shards else [*numbers]


def read_by(
    name: str, corpus: Corpus, files: list[str], shard: int, shards: int
) -> dict[str, list[str]]:
    """What the job of a shard reads: files of the user, or records of what was fetched."""
    numbers = dealt(files, shard, shards)
    if corpus.path:
        return {"files": [files[number] for number in numbers]}
    if corpus.sources:
        return {"records": [f"results/sources/{files[number]}/record.json" for number in numbers]}
    return {"records": [f"results/data/{name}/files/{number}.json" for number in numbers]}
