"""lm-evaluation-harness's own command line, which then knows ``--model kensho``.

Installed as ``lm_eval``: version 0.4 of the harness has no way for other packages to add a model.
"""

import lm_eval.models  # noqa: F401  before ours: a registry that is not empty is taken for full
from lm_eval.__main__ import cli_evaluate
from lm_eval.api.registry import model_registry


def main() -> None:
    model_registry.register("kensho", target="kensho.jlce.lm:KenshoLM")
    cli_evaluate()


if __name__ == "__main__":
    main()
