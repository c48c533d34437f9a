"""Any other method of PEFT by the class of its configuration, with settings of its own."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from kensho.train.methods import Method, Targets
from kensho.validation import suggestion

# What has a part of its own, or is no method by itself.
OWN = {
    "LoraConfig": "lora, rslora, dora, qlora or pissa",
    "AdaLoraConfig": "adalora, whose allocator is called",
    **{"VeraConfig": "vera", "OFTConfig": "oft", "MissConfig": "miss", "IA3Config": "ia3"},
}
# Told by settings of the part, or by the run.
TOLD = (
    *("target_modules", "task_type", "peft_type", "inference_mode", "peft_version"),
    *("base_model_name_or_path", "revision", "auto_mapping"),
)
# What nothing comes of where PEFT's trainer callbacks and the models' own losses are not called.
UNCALLED = (
    *("use_asa", "asa_target_subspaces", "init_warmup", "final_warmup", "mask_interval"),
    *("asa_importance_beta", "asa_uncertainty_beta", "asa_schedule_exponent"),
    "auxiliary_loss_weight",
)


def adapter(rank: None, targets: Targets, *, config: str, settings: Mapping[str, Any]):
    """PEFT's configuration of class ``config``.

    Raises ValueError for a class or a key that PEFT does not have, a class that has a part of its
    own or takes no target modules, a key that training makes nothing of, and a value that the class
    refuses.
    """
    import peft

    known = {
        name: [field.name for field in fields(held) if field.name not in TOLD]
        for name, held in vars(peft).items()
        if name.endswith("Config") and hasattr(held, "__dataclass_fields__")
        if "target_modules" in held.__dataclass_fields__ and name not in OWN
    }
    if config in OWN:
        raise ValueError(f"{config} has a part of its own; take method {OWN[config]}")
    if config not in known:
        raise ValueError(
            f"PEFT has no class '{config}' that adapts modules, {suggestion(config, known)}"
        )
    for key in settings:
        if key not in known[config]:
            raise ValueError(f"{config} has no '{key}', {suggestion(key, known[config])}")
        if key in UNCALLED:
            raise ValueError(f"{config}: '{key}' works in PEFT's own trainer alone; leave it out")
    if not isinstance(settings.get("modules_to_save") or [], list):
        raise ValueError(f"{config}: modules_to_save is no list; put its names into one")
    try:
        return getattr(peft, config)(target_modules=targets, task_type="CAUSAL_LM", **settings)
    except (TypeError, ValueError) as error:
        cause = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{config}: {cause}; change its settings") from None


METHOD = Method(
    "peft",
    adapter=adapter,
    ranked=False,
    unknown=True,
    linear=True,
    alone="whether a class of PEFT can be shared is not known",
)
