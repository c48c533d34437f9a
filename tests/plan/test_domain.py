"""The domain study's models, by its section of the configuration."""

from kensho.domain.settings import Domain
from kensho.plan import domain


def test_a_model_in_two_roles_is_one_model_of_its_attention():
    own = Domain(swallow="a", elyza="b", qwen="a", crossed=["c"])
    assert domain.adapted(own) == {"swallow": "a", "elyza": "b", "qwen": "a", "c": "c"}
    assert domain.models(own) == ["swallow", "elyza", "c"]
