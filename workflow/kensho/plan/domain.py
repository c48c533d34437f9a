"""What the target `domain_study` reads and observes, by its section of the configuration."""

from kensho import paths
from kensho.domain.arms import ANSWERS, ATTENTIONS, JUDGES, ROLES, SCORES, forms
from kensho.domain.settings import Domain
from kensho.plan.config import Config


def adapted(own: Domain) -> dict[str, str]:
    """Model of config/models.yaml that each adapted model begins with, by its name."""
    named = {role: getattr(own, role) for role in ROLES}
    return {role: model for role, model in named.items() if model} | {n: n for n in own.crossed}


def models(own: Domain) -> list[str]:
    """Adapted models by name, each model once: in two roles it is one observation of its kind."""
    first = {model: name for name, model in reversed(adapted(own).items())}
    return [name for name, model in adapted(own).items() if first[model] == name]


def arms(config: Config) -> dict[str, list[str]]:
    """Arms of the study's experiments; without a judge nothing is scored."""
    answering = [arm for name in adapted(config.domain) for arm in forms(name)]
    scored = [*answering, *ATTENTIONS, JUDGES] if config.judging.judges else []
    return {ANSWERS: answering, SCORES: scored}


def installed() -> bool:
    """Whether llama.cpp is there: what reruns the answers once it is."""
    return (paths.GGUF / "installed").is_file()
