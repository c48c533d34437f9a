"""The Bayesian models of the verdict engine, by name."""

from kensho.stats.models.base import Data, Draws, Model, Prior
from kensho.stats.models.conjugate import BETA_BINOMIAL, DIRICHLET_PAIRS, DIRICHLET_WINS
from kensho.stats.models.crossed import CROSSED
from kensho.stats.models.dose import DOSE_CURVE
from kensho.stats.models.independent import TWO_PROPORTIONS, TWO_SAMPLES
from kensho.stats.models.judgements import BRADLEY_TERRY
from kensho.stats.models.location import LOCATION
from kensho.stats.models.normal import NORMAL
from kensho.stats.models.proportions import PAIRS, PROPORTION
from kensho.stats.models.ranking import RANKING
from kensho.stats.models.repeats import REPEATS
from kensho.stats.models.sites import SITES
from kensho.stats.models.strengths import STRENGTHS

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        LOCATION,
        NORMAL,
        PROPORTION,
        PAIRS,
        BRADLEY_TERRY,
        DOSE_CURVE,
        RANKING,
        BETA_BINOMIAL,
        DIRICHLET_PAIRS,
        DIRICHLET_WINS,
        REPEATS,
        TWO_SAMPLES,
        TWO_PROPORTIONS,
        STRENGTHS,
        SITES,
        CROSSED,
    )
}

__all__ = ["MODELS", "Data", "Draws", "Model", "Prior"]
