"""What jobs compute: tokens through a model, in how many passes, as a configuration has them.

Batches are as large as it allows, pairs as long as they are on average; answers reach their limits.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from kensho.bench import study_arms
from kensho.jlce import catalogue as jlce
from kensho.judging.items import MT
from kensho.part import resolve
from kensho.plan import judging
from kensho.plan.config import Config
from kensho.train.catalogue import METHODS, STAGES
from kensho.train.methods import Method
from kensho.train.plan import TARGETS

TOKENS = 1 / 0.893  # of a Japanese character by Llama-2's tokenizer; Qwen's, Llama-3's make fewer
PAIR = 46  # tokens of a Tatoeba pair with its prompt, mean of trainings by SmolLM2's tokenizer
QUESTION = 90 * TOKENS  # JCommonsenseQA's and JNLI's items have 73 and 88 characters with prompts
CHOICES = 5  # at most, each read with its question
LETTERS = 25  # characters of the prompt of JMMLU's items besides question and choices
EXAMPLES = 610 * TOKENS  # of a JLCE prompt with four worked examples, mean of resources/jlce

# --- what a configuration says of models


def base(config: Config, arm: str) -> str:
    """Model that an arm adapts, or that is evaluated as it is."""
    if arm in config.evaluate.references:
        return arm
    own = next((one.base for one in config.train.trained if one.name == arm), None)
    return own or config.train.base


def batches(config: Config, stage: Any) -> tuple[int, int]:
    """Samples of a pass, passes of an optimiser step."""
    return stage.batch_size or config.train.batch_size, stage.accumulation


def run_by(config: Config, experiment: str) -> str:
    """Model that an experiment runs."""
    own = getattr(config.bench, experiment)
    if published := getattr(own, "published", None):
        return published.expanded
    return getattr(own, "model", None) or config.train.base


def techniques(config: Config) -> list[str]:
    """Techniques that run: for the corpus, and for the studies."""
    studies = (config.bench.augmentation_features, config.bench.augmentation_training)
    named = (config.augmentation.techniques, *(own.techniques for own in studies))
    return [*dict.fromkeys(name for names in named for name in names)]


# --- work


class Passes(NamedTuple):
    """``tokens`` through a model in so many ``passes``, ``flops`` for each and each parameter."""

    tokens: float
    passes: int
    flops: int = 2


class Training(NamedTuple):
    """What trains batches of ``batch`` samples of ``length`` tokens; adapters have the rest.

    A step has ``accumulation`` batches; with ``checkpointing`` activations are computed twice.
    ``settings`` are those of the method.
    """

    method: str
    batch: int
    length: int
    rank: int | None = None
    targets: Sequence[str] = ()
    accumulation: int = 1
    checkpointing: bool = False
    settings: Mapping[str, Any] = {}

    @property
    def by(self) -> Method:
        """The method, with the base held as its settings have it."""
        return resolve(METHODS[self.method].code).of(self.settings)

    def passes(self, count: int) -> Passes:
        flops = (6 if self.by.whole else 4) + (2 if self.checkpointing else 0)
        return Passes(count * self.batch * self.length, count, flops)


class Work(NamedTuple):
    """All passes of a job; sequences and tokens of its largest batch, and whether all of these
    tokens get logits at once; what it trains, copies of its weights that it holds beside, and the
    rows of a step that devices may share, each as many."""

    passes: Sequence[Passes]
    batch: int
    length: float
    logits: bool = False
    training: Training | None = None
    copies: int = 0
    rows: int = 1


def schedule(config: Config, of: Any) -> tuple[int, int]:
    """Steps of a stage and tokens of its samples at most: its own, or those of `train`."""
    return of.steps or config.train.steps, of.max_length or config.train.max_length


def stage(config: Config, of: Any) -> Work:
    """A stage of an arm that trains, as its section of the configuration has it.

    A pair of preferences is two samples of a batch; both are read once more for the reference.
    """
    (batch, accumulation), method = batches(config, of), of.method.model_dump()
    paired, sampled = STAGES[of.stage].data == "preferences", of.stage == "grpo"
    rows = batch * accumulation
    batch *= 2 if paired else 1
    adapters = method.get("rank"), method.get("targets", ())
    kept = accumulation, of.checkpointing
    steps, length = schedule(config, of)
    training = Training(method["name"], batch, length, *adapters, *kept, method)
    mean = training._replace(length=min(PAIR, length))
    count = steps * accumulation
    passes = [mean.passes(count), *([Passes(count * batch * mean.length, count)] * paired)]
    copies = 0
    if sampled:  # answers are sampled, and read by the reference
        answers, read, copies = count * batch, min(PAIR, length), int(of.beta > 0)
        passes += _answers(answers, batch, read, of.new_tokens)
        passes += [Passes(answers * (read + of.new_tokens), count)] * copies
    alone = sampled or training.by.one_process
    shared = 1 if alone else rows
    return Work(passes, batch, length, training=training, copies=copies, rows=shared)


def _answers(items: int, batch: int, read: float, written: int = 0) -> list[Passes]:
    """Items answered ``batch`` at a time: prompts read at once, answers token by token."""
    rounds = ceil(items / batch)
    return [Passes(items * read, rounds), Passes(items * written, rounds * written)]


def _pair(config: Config) -> int:
    return min(PAIR, config.train.max_length)


def evaluation(config: Config, seeds: int) -> Work:
    own, length = config.evaluate, config.train.max_length
    choices = len(own.choice_tasks) * own.choice_items * CHOICES
    passes = [
        *_answers(own.nll_items, own.batch_size, _pair(config)),
        *_answers(own.translation_items, own.batch_size, _pair(config), own.max_new_tokens),
        *_answers(choices, own.batch_size, QUESTION),
    ]
    longest = max(length + own.max_new_tokens, QUESTION)
    return Work(passes * seeds, own.batch_size, longest, logits=True)


def judged(config: Config, arm: str) -> Work:
    """Sentences and dialogues translated both ways, and open questions; anchors translate alone.

    llm-jp-eval's sets count where their folder is named.
    """
    own = config.judging
    pair, turns = _pair(config), _pair(config) * (own.context + 1)
    sets: list[tuple[int, float]] = [(2 * own.items, pair), (2 * own.items, turns)]
    if own.llm_jp_eval:
        sets.append((len(MT) * own.items, EXAMPLES))
    passes = [
        one for n, read in sets for one in _answers(n, own.batch_size, read, own.max_new_tokens)
    ]
    longest = max(read for _, read in sets) + own.max_new_tokens
    if arm not in judging.writers(config)[:2]:
        return Work(passes, own.batch_size, longest)
    asked = len(own.sets) * own.questions
    passes += _answers(asked, own.batch_size, QUESTION, own.max_answer_tokens)
    return Work(passes, own.batch_size, max(longest, QUESTION + own.max_answer_tokens))


def sixteen_tasks(config: Config, seeds: int) -> Work:
    """JLCE; items of a task are asked with each prompt."""
    own = config.jlce
    limits = [own.max_new_tokens or n if (n := jlce.longest(name)) else 0 for name in own.tasks]
    passes = [one for n in limits for one in _answers(own.items, own.batch_size, EXAMPLES, n)]
    return Work(passes * seeds * len(own.prompts), own.batch_size, EXAMPLES + max(limits))


def _analysis_mode(own: Any, length: int) -> Work:
    return Work([Passes(own.items * length, own.items)] * 2 * own.blocks, 1, length, logits=True)


def _quick_mode(own: Any, length: int) -> Work:
    scored = own.items * 4
    plain = Passes(scored * (own.shots + 1) * length, scored)
    quick = Passes((own.shots + scored) * length, 2)
    return Work([plain, quick] * own.blocks, 1, quick.tokens, logits=True)


def _medical(own: Any, length: int) -> Work:
    question = min(own.max_length, ceil((own.max_characters + LETTERS) * TOKENS))
    training = Training("qlora", own.batch_size, question, own.rank, TARGETS["qkvo"])
    asked = _answers(own.items * 4, own.evaluated_at_once, question)
    passes = [*asked * (2 + len(own.seeds)), training.passes(own.steps * len(own.seeds))]
    return Work(passes, own.evaluated_at_once, question, True, training)


def _vocabulary(own: Any, length: int) -> Work:
    text = own.scored * length
    passes = [Passes(text, 1), Passes(own.new_tokens, own.new_tokens)] * 2 * own.blocks
    return Work(passes, 1, text, logits=True)


def _vocabulary_training(own: Any, length: int) -> Work:
    training = Training("full", own.batch_size, own.max_length)
    scored = Passes(own.items * length, own.items)
    written = _answers(own.translated, own.translated, length, own.max_new_tokens)
    passes = [scored, training.passes(own.steps), scored, *written] * 2 * len(own.seeds)
    return Work(passes, 1, length, True, training)


def _augmentation_training(own: Any, length: int) -> Work:
    training = Training("lora", own.batch_size, own.max_length, own.rank, TARGETS["qkvo"])
    trainings = len(own.arms) * len(own.sizes) * len(own.seeds)
    mean = training._replace(length=min(PAIR, own.max_length))
    passes = [mean.passes(own.steps), Passes(own.items * length, own.items)]
    passes += _answers(own.translated, own.translated, length, own.max_new_tokens)
    return Work(passes * trainings, own.batch_size, own.max_length, True, training)


def _learnt(own: Any, plan: Training, steps: Sequence[int], length: int, held: int = 1) -> Work:
    """Trainings of so many steps each, and their held-out texts scored ``held`` times."""
    mean = plan._replace(length=min(length, own.max_length))
    passes = [mean.passes(count) for count in steps]
    passes += [Passes(own.items * length, own.items)] * held * len(steps)
    return Work(passes, own.batch_size, own.max_length, True, plan)


def _study(own: Any, rank: int, targets: str = "qkvo") -> Training:
    return Training("lora", own.batch_size, own.max_length, rank, TARGETS[targets])


def _training_scale(own: Any, length: int) -> Work:
    counts = [units * own.unit * own.epochs for units in study_arms.DOSES.values()]
    steps = [ceil(count / own.batch_size) for count in counts] * len(own.seeds)
    return _learnt(own, _study(own, own.rank), steps, PAIR)


def _ranks(own: Any, length: int) -> Work:
    steps = [own.steps] * len(study_arms.RANKS) * len(own.seeds)
    return _learnt(own, _study(own, max(study_arms.RANKS.values())), steps, PAIR)


def _ranks_dialogue(own: Any, length: int) -> Work:
    steps = [own.steps] * len(study_arms.RANKS) * len(own.seeds)
    plan = _study(own, max(study_arms.RANKS.values()))
    return _learnt(own, plan, steps, ceil(own.max_characters * TOKENS))


def _adapters(own: Any, length: int) -> Work:
    """Every weight is trained in one arm of them; the largest adapters decide the memory."""
    steps = [max(2, ceil(size / own.batch_size)) for size in own.sizes] * len(own.seeds)
    full = _learnt(own, Training("full", own.batch_size, own.max_length), steps, PAIR)
    adapters = [one for one in study_arms.CONFIGURATIONS.values() if one.rank]
    others = _learnt(own, _study(own, 32, "all-linear"), steps * len(adapters), PAIR)
    return full._replace(passes=[*full.passes, *others.passes])


def _rates(own: Any, length: int) -> Work:
    steps = [max(2, ceil(own.samples / own.batch_size))] * len(study_arms.RATES) * len(own.seeds)
    return _learnt(own, _study(own, 8), steps, PAIR)


def _replay(own: Any, length: int) -> Work:
    steps = [own.steps] * (len(study_arms.REPLAY) // 2) * len(own.seeds)
    full = _learnt(own, Training("full", own.batch_size, own.max_length), steps, PAIR, held=4)
    lora = _learnt(own, _study(own, own.rank), steps, PAIR, held=4)
    return full._replace(passes=[*full.passes, *lora.passes])


def _continual(own: Any, length: int) -> Work:
    """The fresh adapter alone does not learn task A."""
    steps = [own.steps] * (2 * len(study_arms.CONTINUAL) - 1) * len(own.seeds)
    return _learnt(own, _study(own, own.rank), steps, PAIR, held=2)


def _regret(own: Any, length: int) -> Work:
    """The choice is not foreseen: the first batch of its table stands for its own."""
    plan = Training("lora", 8, own.max_length, max(own.ranks), TARGETS["qkvo"])
    cells = (1 + len(own.ranks) * len(own.learning_rates)) * len(own.seeds)
    passes = [plan._replace(length=PAIR).passes(ceil(own.samples / plan.batch))]
    passes += [Passes(2 * own.items * length, 2 * own.items)]
    return Work(passes * cells, plan.batch, own.max_length, True, plan)


def _persona(own: Any, length: int) -> Work:
    steps = [own.steps] * len(study_arms.PERSONA) * own.speakers
    return _learnt(own, _study(own, own.rank), steps, ceil(own.max_characters * TOKENS))


def _inference(own: Any, length: int) -> Work:
    cells = [(1, 128, own.blocks), *((c.batch, c.length, own.blocks_beside) for c in own.beside)]
    passes = [Passes(2 * own.items * length, 2 * own.items)]
    for batch, prompt, blocks in cells:
        passes += _answers(batch, batch, prompt, own.new_tokens) * blocks
    batch, prompt, _ = max(cells, key=lambda cell: cell[0] * cell[1])
    return Work(passes * len(own.arms), batch, prompt + own.new_tokens)


def _serving(own: Any, length: int) -> Work:
    """Every arm as one that the device serves; users who arrive are answered one by one."""
    read, new = own.prompt_tokens, own.new_tokens
    sizes = [1, *own.batches, *(1 for _ in own.rates)]
    passes = [one for size in sizes for one in _answers(own.requests, size, read, new)]
    passes += _answers(own.requests, 1, own.shared_tokens + read, new)
    passes += [one for size in own.contexts for one in _answers(2, 1, size - new, new)]
    return Work(passes * len(own.arms) * own.rounds, 1, max(own.contexts))


# Experiments that run a model of the configuration: of their settings and `train.max_length`.
EXPERIMENTS: dict[str, Callable[[Any, int], Work]] = {
    "adapters": _adapters,
    "analysis_mode": _analysis_mode,
    "augmentation_training": _augmentation_training,
    "continual": _continual,
    "inference": _inference,
    "medical": _medical,
    "persona": _persona,
    "quick_mode": _quick_mode,
    "ranks": _ranks,
    "ranks_dialogue": _ranks_dialogue,
    "rates": _rates,
    "regret": _regret,
    "replay": _replay,
    "serving": _serving,
    "training_scale": _training_scale,
    "vocabulary": _vocabulary,
    "vocabulary_training": _vocabulary_training,
}
