"""The files that rules read, by what their wildcards name."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from kensho.augment.catalogue import TECHNIQUES, models_of
from kensho.bench.inputs import PAIRS
from kensho.models import engine
from kensho.models.catalogue import Model, files
from kensho.plan import beginnings, domain, judging, work
from kensho.plan.config import Config
from kensho.plan.directives import observation_files
from kensho.plan.plan import Plan
from kensho.plan.verdicts import GAINS
from kensho.train.catalogue import METHODS, STAGES
from kensho.train.preferences import BY_MODEL
from kensho.validation import suggestion

TRAINED = "results/train"
SCHEDULE = {"checkpoint_every", "dtype"}


class Inputs:
    """Of the rules of one run. Wildcards are Snakemake's, with the names that rules give them."""

    def __init__(
        self,
        config: Config,
        plan: Plan,
        models: Mapping[str, Model],
        classes: Mapping[str, str] = {},
    ):
        """``classes`` are the licence classes of the sources."""
        self.config, self.plan, self.models = config, plan, models
        self.unaccepted = {
            name: f"licence class {held} is not accepted (licences)"
            for name, held in classes.items()
            if held not in config.licences
        }
        self.arms = {arm.name: arm for arm in config.train.trained}

    def base(self, arm: str) -> str:
        """Name of the model that an arm begins with, or is."""
        return work.base(self.config, arm)

    def control(self, arm: str) -> str:
        """The arm that an arm is compared with: its own base, else the common one.

        Itself, and so nothing, where a spent budget leaves that one out.
        """
        own = self.base(arm)
        other = "base" if own == self.config.train.base or arm not in self.arms else own
        return other if other in self.plan.evaluated else arm

    def seeds(self, arm: str) -> list[int]:
        """Replicates of an evaluated arm; a model that is not trained has the one replicate 0."""
        evaluated = self.plan.arms["evaluation"]
        if arm not in evaluated:
            raise ValueError(f"no arm '{arm}', {suggestion(arm, evaluated)}")
        return self.config.train.seeds if arm in self.arms else [0]

    def jlce_seeds(self, arm: str) -> list[int]:
        """Replicates of an arm that JLCE asks."""
        return self.seeds(arm)[: self.config.jlce.seeds]

    def trained(self, arm: str, replicates: list[int], file: str, last: bool = True) -> list[str]:
        """A file of each training of an arm: of its last stage, or of all its stages."""
        stages = self.plan.stages[arm][-1:] if last else self.plan.stages[arm]
        return [f"{TRAINED}/{stage}/seed{seed}/{file}" for stage in stages for seed in replicates]

    def of_all_stages(self, arms: Iterable[str], file: str) -> list[str]:
        """A file of each training of these arms, once where they share it."""
        every = [path for a in arms for path in self.trained(a, self.seeds(a), file, last=False)]
        return [*dict.fromkeys(every)]

    def stage(self, wildcards) -> Any:
        """What the configuration says of a stage of an arm. Raises ValueError for another one,
        and for one that lies in the folder of another arm."""
        stages = self.plan.stages.get(wildcards.arm, [])
        name = f"{wildcards.number}-{wildcards.stage}"
        if (folder := f"{wildcards.arm}/{name}") not in stages:
            known = (
                f"its stages: {', '.join(stages)}"
                if stages
                else suggestion(wildcards.arm, self.arms)
            )
            raise ValueError(f"arm '{wildcards.arm}' has no stage '{name}' of its own, {known}")
        return self.arms[wildcards.arm].stages[stages.index(folder)]

    def method(self, wildcards) -> Any:
        """The method of a stage, as a part; None where nothing is trained."""
        named = getattr(self.stage(wildcards), "method", None)
        return METHODS[named.name] if named else None

    def begun_with(self, wildcards) -> dict[str, Any]:
        """The model that a stage begins with: the base, and what the stages before it made."""
        self.stage(wildcards)
        base, number = files(self.base(wildcards.arm), self.models), int(wildcards.number)
        if number == 1:
            return base
        stages = self.plan.stages[wildcards.arm][: number - 1]
        models = [f"{TRAINED}/{stage}/seed{wildcards.seed}/model" for stage in stages]
        return base | {"reference": f"{models[-1]}.json", "before": models}

    def samples(self, wildcards) -> list[str]:
        """Tables of a stage's samples; none where nothing is trained."""
        own = self.stage(wildcards)
        data = STAGES[own.stage].data
        if data == "nothing":
            return []
        if data == "preferences":
            folder = f"{TRAINED}/{wildcards.arm}/{wildcards.number}-{own.stage}"
            if own.rejected == BY_MODEL:
                return [f"{folder}/seed{wildcards.seed}.preferences.csv"]
            return [f"results/data/preferences/{own.rejected}.csv"]
        if mixture := getattr(own, "mixture", None):
            shards = range(self.config.corpora.shards)
            return [f"results/data/{mixture}/mixed/{shard}.parquet" for shard in shards]
        augmented = own.corpus == "augmented"
        return ["results/data/train_augmented.csv" if augmented else "results/data/train.csv"]

    def sampled_by(self, wildcards) -> list[str]:
        """What is told of a model's sampling for a stage; none where nothing is sampled."""
        if getattr(self.stage(wildcards), "rejected", None) != BY_MODEL:
            return []
        (pairs,) = self.samples(wildcards)
        return [pairs.removesuffix("csv") + "json"]

    def corpus(self, wildcards) -> list[str]:
        """Sentences that no stage learns, and a mixture may hold; the corpus has them apart."""
        mixed = getattr(self.stage(wildcards), "mixture", None)
        return ["results/data/test.csv", "results/data/train.csv"] if mixed else []

    def held_out(self, wildcards) -> int:
        """Samples of the corpus that are scored, not learned; preferences say which they are."""
        own = self.stage(wildcards)
        return self.config.train.validation if STAGES[own.stage].data in ("pairs", "texts") else 0

    def schedule(self, wildcards) -> dict[str, Any]:
        """What a stage is told of `train`, with the batch that it takes; nothing if it trains none.

        Trackers are not among it: nothing that is trained follows from them.
        """
        if not self.method(wildcards):
            return {}
        told = self.config.train.model_dump(include=SCHEDULE)
        steps, length = work.schedule(self.config, self.stage(wildcards))
        return told | {"steps": steps, "max_length": length, "batch_size": self.batch(wildcards)}

    def batch(self, wildcards) -> int:
        """Samples at once of a stage that trains."""
        return work.batches(self.config, self.stage(wildcards))[0]

    def sampled(self, wildcards) -> int:
        """Samples of which a model writes the rejected side: as many as the stage reads."""
        own = self.stage(wildcards)
        batch, accumulation = work.batches(self.config, own)
        steps, _ = work.schedule(self.config, own)
        return min(own.samples or self.config.data.train, steps * batch * accumulation)

    def earlier(self, arm: str) -> str:
        """What an arm of `train.recipes` is compared with: itself without its last stage, or its
        base."""
        before = beginnings.stage_before(self.config, arm)
        return before or self.control(arm)

    @property
    def study_tasks(self) -> list[str]:
        """What augmentation is tried on: sentence pairs, and sources of labelled items."""
        return [PAIRS, *self.config.bench.augmentation_features.tasks]

    def studied(self, wildcards) -> dict[str, str]:
        """The corpus, or the source of a task."""
        if wildcards.task == PAIRS:
            return {name: f"results/data/{name}.csv" for name in ("train", "test")}
        return {"record": f"results/sources/{wildcards.task}/record.json"}

    def study_sizes(self, wildcards) -> dict[str, Any]:
        """Rows of the corpus that a study reads, or how a task is split."""
        if wildcards.task == PAIRS:
            own = self.config.bench.augmentation_training
            return {"train": own.pool, "test": own.items}
        return self.config.bench.augmentation_features.model_dump(include={"seeds", "tested"})

    def technique(self, name: str) -> dict[str, Any]:
        """What a technique reads beside the training samples."""
        named = models_of(getattr(self.config.augmentation, name))
        read = [files(one, self.models) for one in named]
        made = [one["weights"] for one in read if "weights" in one]
        models = {"models": [one["model"] for one in read], "weights": made} if read else {}
        known = {"connections": "results/data/connections.csv"}
        guard = known if TECHNIQUES[name].guarded else {}
        return {**TECHNIQUES[name].inputs, **models, **guard}

    def engine(self) -> dict[str, str]:
        """Where jobs that ask models find vLLM, if they are to look for it."""
        return engine.inputs(self.config.engine, self.config.accelerator)

    def evaluated(self, arm: str, replicates: list[int]) -> dict[str, Any]:
        """What evaluating an arm reads: base or reference model, and what was trained."""
        model = files(self.base(arm), self.models) | self.engine()
        if arm not in self.arms:
            return model
        return model | {
            "references": self.trained(arm, replicates, "model.json"),
            "trained": self.trained(arm, replicates, "model", last=False),
            "records": self.trained(arm, replicates, "record.json", last=False),
        }

    def preferred(self, pair: str) -> list[str]:
        """The two arms whose answers a judge compares."""
        judge = self.config.jlce.judge
        return next(arms for arms in (judge.pairs if judge else []) if "-".join(arms) == pair)

    def writers(self) -> list[str]:
        """Arms that translate for the target `judging`: after, before, and the fixed set."""
        return judging.writers(self.config)

    def adapted(self, name: str) -> dict[str, str]:
        """What a model of the study `domain_study` begins with."""
        return files(domain.adapted(self.config.domain)[name], self.models)

    def judged_sources(self) -> dict[str, list[str]]:
        """What is translated and answered, beside the corpus."""
        accepted = [
            f"results/sources/{name}/record.json"
            for name in judging.sources(self.config.judging)
            if name not in self.unaccepted
        ]
        return {"records": accepted, "llm_jp_eval": judging.prepared(self.config.judging)}

    def unjudged(self) -> dict[str, str]:
        """Sets of the target `judging` that are left out for their licence, with the reason."""
        names = judging.sources(self.config.judging)
        return {judging.SETS[n]: self.unaccepted[n] for n in names if n in self.unaccepted}

    def judge(self, name: str) -> Any:
        """A judge's section of the configuration."""
        return next(one for one in self.config.judging.judges if one.name == name)

    def comet(self) -> dict[str, str]:
        """COMET's scores, where they are brought."""
        table = self.config.judging.comet
        return {"comet": table} if table else {}

    def observations(self, wildcards) -> list[str]:
        """Files that a claim's verdict rests on."""
        test = self.plan.tested[wildcards.claim].test
        assert test is not None  # it is tested
        return observation_files(test.experiment, test.arms)

    def main_experiments(self) -> list[str]:
        """Tables of the experiments of the main job (bench.main), of which no claim need speak."""
        main = {*self.config.bench.main}
        return self._tables(lambda name, part: name in main)

    def experiments_of(self, *targets: str) -> list[str]:
        """Tables of every arm of every experiment that one of these targets runs."""
        return self._tables(lambda name, part: part.target in targets)

    def _tables(self, wanted: Callable[[str, Any], bool]) -> list[str]:
        """None where a spent budget leaves out what no priority claim asks for."""
        experiments = self.plan.experiments.items() if self.plan.stage == "whole" else []
        return [
            path
            for name, one in experiments
            if wanted(name, one.part)
            for path in observation_files(name, one.arms)
        ]

    def shown(self, pages: Collection[str]) -> dict[str, Any]:
        """What the report shows of the run itself, beside its verdicts; ``pages`` are there."""
        arms = [arm for arm in self.arms if arm in self.plan.evaluated]
        return {
            "evaluation": "results/evaluation/intervals.csv",
            "loss": self.of_all_stages(arms, "steps.csv"),
            "audits": self.of_all_stages(arms, "record.json"),
            "drops": "results/data/drops.csv",
            "augmentation": "results/data/augmentation.csv",
            "meaning": "results/data/augmentation_meaning.csv",
            "kv_grid": observation_files("kv_cache", self.plan.arms["kv_cache"]),
            **(self.noise() if self.config.accelerator != "none" or self.engine() else {}),
            **({"gains": GAINS} if "augmentation_study" in pages else {}),
        }

    def noise(self) -> dict[str, str]:
        """What batches change, where the base is evaluated. Plain processors only round."""
        asked = "base" in self.plan.evaluated
        return {"noise": "results/evaluation/noise.json"} if asked else {}
