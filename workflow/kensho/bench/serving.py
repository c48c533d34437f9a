"""B 3.2: a model behind vLLM's own server, in several ways to serve it, under the same loads.

Each arm is a server process of its own; each round starts every arm once, in an order drawn anew.
Loads are sent one after another, with the cache of beginnings emptied between: ``single`` (one
request at a time), ``batch-<n>``, ``rate-<n>`` (users who arrive so many a second, as a Poisson
process), ``shared`` (one at a time, behind a long common beginning) and ``context-<n>`` (tokens of
prompt and answer). A load of which a request failed has no times: those of the others would flatter
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kensho.bench.blocks import interleaved
from kensho.bench.load import KINDS, Answer, Failure, Load
from kensho.bench.run import Inputs, Observed, Run
from kensho.bench.serving_arms import BASE, DRAFTED, OPTIONS, REGISTERED, SPECULATIVE, options
from kensho.bench.serving_load import COUNTED, LANGUAGES, Plan, plans, serve
from kensho.data.corpus import read_table
from kensho.evaluate.journal import Journal, digest
from kensho.files import sha256
from kensho.models import engine, reference
from kensho.models.loading import compute_dtype, computes_on, device, tokenizer_of
from kensho.models.reference import Base, Reference
from kensho.models.vllm import devices
from kensho.models.vllm_check import unserved
from kensho.models.vllm_server import Server
from kensho.observations import Row, table

if TYPE_CHECKING:
    from kensho.bench.study_settings import Serving as Settings

EXPERIMENT = "serving"
NO_VLLM = "vLLM is not installed: run `make vllm`"
LONGEST = 6 * 3600  # seconds of one arm in one round
PRELOAD = ["transformers.models.llama.modeling_llama", __name__]
OF_REQUEST = {  # observed of each request, by load
    "first_token_seconds": "s",
    "token_seconds": "s",
    "latency_seconds": "s",
    "tokens": "tokens",
    "unchanged": "answers",
}
OF_LOAD = {
    "tokens_per_second": "tokens/s",
    "requests_per_second": "requests/s",
    "sent_late_seconds": "s",
    "prefix_cache_hits": "tokens",
    "spec_decode_num_draft_tokens": "tokens",
    "spec_decode_num_accepted_tokens": "tokens",
}
OF_SERVER = {
    "start_seconds": "s",
    "warmup_seconds": "s",
    "peak_memory_bytes": "bytes",
    "cache_tokens": "tokens",
}


def _load(stored: Mapping[str, Any]) -> Load:
    """A load as it came through JSON."""
    answers = [Failure(*one) if one[0] in KINDS else Answer(*one) for one in stored["answers"]]
    return Load(answers, stored["seconds"])


class Observation:
    """What the rounds of one arm observed: ``results`` of :func:`serve` in their order.

    ``expected`` are answers by load and block that its own are held against.
    """

    def __init__(
        self,
        arm: str,
        results: Sequence[Mapping[str, Any]],
        loads: Mapping[str, Plan],
        expected: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.arm, self.results, self.loads, self.expected = arm, results, loads, expected
        self.under = [
            {name: _load(load) for name, load in one.get("loads", {}).items()} for one in results
        ]

    @property
    def refused(self) -> str | None:
        """Why the arm was not served, in the first round where it was not."""
        return next((one["refused"] for one in self.results if "refused" in one), None)

    def failures(self) -> dict[str, dict[str, int]]:
        """Failed requests of each load that has some, by kind."""
        of_load = {
            name: sum((one[name].failures for one in self.under if name in one), Counter[str]())
            for name in self.loads
        }
        return {name: dict(kinds) for name, kinds in of_load.items() if kinds}

    def rows(self) -> Iterator[Row]:
        """Observations of requests, loads, servers, and how many requests failed in what way."""
        for number, (result, under) in enumerate(zip(self.results, self.under, strict=True)):
            for metric, unit in OF_SERVER.items():
                if (value := result.get(metric)) is not None:
                    yield Row(EXPERIMENT, self.arm, f"round-{number}", 0, metric, value, unit)
            for name, one in under.items():
                if not one.failures:
                    yield from self._of_load(number, name, one, result["loads"][name])
        answers = [
            answer for under in self.under for one in under.values() for answer in one.answers
        ]
        counts = Counter(one.kind for one in answers if isinstance(one, Failure))
        counted = {"requests": len(answers), **{f"failed_{kind}": counts[kind] for kind in KINDS}}
        for metric, count in counted.items():
            yield Row(EXPERIMENT, self.arm, "all", 0, metric, count, "requests")

    def _of_load(self, number: int, name: str, one: Load, stored: Mapping) -> Iterator[Row]:
        plan = self.loads[name]
        answers = [answer for answer in one.answers if isinstance(answer, Answer)]
        expected = self.expected.get(plan.answered_as, {})
        itself = self.arm == BASE and number == 0 and plan.answered_as == name
        for block, answer in zip(plan.requests, answers, strict=True):
            values: dict[str, float | None] = {
                "first_token_seconds": answer.first_token_seconds,
                "token_seconds": answer.token_seconds,
                "latency_seconds": answer.latency_seconds,
                "tokens": answer.tokens,
            }
            if block in expected and not itself:
                values["unchanged"] = float(answer.text == expected[block])
            for metric, value in values.items():
                if value is not None:
                    named = f"{metric}.{name}"
                    yield Row(EXPERIMENT, self.arm, block, number, named, value, OF_REQUEST[metric])
        of_load = {
            "tokens_per_second": sum(answer.tokens for answer in answers) / one.seconds,
            "requests_per_second": len(answers) / one.seconds,
            "sent_late_seconds": max(answer.sent - answer.due for answer in answers),
            **{metric: stored[metric] for metric in COUNTED if metric in stored},
        }
        for metric, observed in of_load.items():
            named, block = f"{metric}.{name}", f"round-{number}"
            yield Row(EXPERIMENT, self.arm, block, 0, named, observed, OF_LOAD[metric])

    def absent(self) -> dict[str, str]:
        """Metrics that could not be had, and why."""
        every = [*OF_REQUEST, *OF_LOAD]
        if why := self.refused:
            names = [f"{metric}.{name}" for name in {*self.loads, *REGISTERED} for metric in every]
            return dict.fromkeys([*OF_SERVER, *sorted(names)], why)
        why_not = {
            name: f"load {name} is none of the configuration's"
            for name in REGISTERED
            if name not in self.loads
        }
        for name, kinds in self.failures().items():
            first = next(
                answer.why
                for under in self.under
                for answer in under[name].answers
                if isinstance(answer, Failure)
            )
            counts = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
            why_not[name] = f"arm {self.arm}, load {name}: requests failed ({counts}; {first})"
        absent = {f"{metric}.{name}": why for name, why in why_not.items() for metric in every}
        for name, plan in self.loads.items():
            if not self.expected.get(plan.answered_as):
                why = f"arm {BASE} has no answers to hold these against"
                absent.setdefault(f"unchanged.{name}", why)
        return absent


def expected(results: Sequence[Mapping[str, Any]], loads: Mapping[str, Plan]) -> dict:
    """Answers of the first round of ``plain`` by load and block, of loads without a failure."""
    loads_of = results[0].get("loads", {}) if results else {}
    return {
        name: {
            block: answer.text
            for block, answer in zip(loads[name].requests, one.answers, strict=True)
            if isinstance(answer, Answer)
        }
        for name, one in ((name, _load(load)) for name, load in loads_of.items())
        if not one.failures
    }


def observe(
    starts: Mapping[str, Callable[[], Server] | str],
    loads: Mapping[str, Plan],
    settings: Settings,
    run: Run,
    read: Any = None,
) -> dict[str, Observation]:
    """What each arm observed; of an arm without a server, why.

    A round that was observed whole is kept in the run's journal, with what was ``read``.
    """
    journal: Any = {} if run.journal is None else Journal(run.journal)
    able = {
        arm: partial(serve, start, loads, settings.timeout_s)
        for arm, start in starts.items()
        if not isinstance(start, str)
    }
    results: dict[str, list] = {arm: [] for arm in able}
    for number in range(settings.rounds if able else 0):
        key = digest([*run.identity, read, computes_on(), number])
        if key not in journal:
            own = run._replace(seed=run.seed + number)  # an order of its own
            journal[key] = interleaved(able, 1, own, preload=PRELOAD, timeout=LONGEST)
        for one in journal[key]:
            results[one["arm"]].append(one)
    answers = expected(results.get(BASE, []), loads)
    results |= {arm: [{"refused": why}] for arm, why in starts.items() if isinstance(why, str)}
    return {arm: Observation(arm, results[arm], loads, answers) for arm in starts}


def experiment(inputs: Inputs, settings: Settings, run: Run) -> Observed:
    """The arms of the settings; without vLLM each with that as its reason."""
    model, served = reference.base(inputs["model"]), engine.read(inputs["engine"])
    tokenizer, test = tokenizer_of(model.folder), read_table(inputs["test"])
    texts = {
        language: tokenizer(" ".join(test[language]), add_special_tokens=False)["input_ids"]
        for language in LANGUAGES
    }
    loads, dtype = plans(texts, settings, run.seed), compute_dtype("auto")
    draft = reference.base(inputs["draft"]).folder if "draft" in inputs else None
    starts: dict[str, Callable[[], Server] | str] = {}
    if served.python is None:
        starts = dict.fromkeys(settings.arms, NO_VLLM)
    elif why := unserved(served.python, Reference.of_base(model), dtype, run.threads):
        starts = dict.fromkeys(settings.arms, f"vLLM does not serve {why}")
    else:
        name, places = str(dtype).removeprefix("torch."), devices()
        start = partial(Server, served.python, model.folder, name, threads=run.threads)
        for arm in settings.arms:
            try:
                starts[arm] = partial(start, options(arm, draft), devices=places)
            except ValueError as error:
                starts[arm] = f"arm {arm}: {error}"
    read = [sha256(inputs["test"]), model.files, served.version]
    observed = observe(starts, loads, settings, run, read)
    return [
        (table(one.rows()), conditions(one, model, served.version, draft, settings, run, inputs))
        for one in observed.values()
    ]


def conditions(
    one: Observation,
    model: Base,
    version: str | None,
    draft: Path | None,
    settings: Settings,
    run: Run,
    inputs: Inputs,
) -> dict:
    """What an arm ran under, as its server said, and what failed."""
    left_out = [arm for arm in OPTIONS if arm not in settings.arms]
    return {
        "ran": {"models": [model.ran()]},
        "dtype": str(compute_dtype("auto")).removeprefix("torch."),
        "device": device(),
        "datasets": {"test": {"sha256": sha256(inputs["test"])}},
        "items": settings.requests,
        **run.timing(settings.rounds),
        "warmup": "one answer per server, its seconds recorded apart; starting is recorded apart",
        "absent": one.absent(),
        "fallbacks": [f"arm {arm} left out by the configuration" for arm in left_out],
        "deviations": [
            "memory is what the server's processes had resident on the host, with the cache that "
            "vLLM takes in advance; what they share counts for each",
            "the client runs on the machine of the server",
            "a context that is longer than the held-out text repeats it",
        ],
        "own": {
            "vllm": version,
            "options": [*OPTIONS[one.arm]],
            **({"drafted_tokens": DRAFTED} if one.arm in SPECULATIVE else {}),
            **({"draft": draft.name} if draft and one.arm == "draft" else {}),
            "server": [result["server"] for result in one.results if "server" in result],
            "failures": one.failures(),
            **vars(settings),
        },
    }
