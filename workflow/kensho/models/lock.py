"""config/models.lock.yaml: the commit and the files of every model, by its hub name."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from pydantic import ValidationError

from kensho.data.hub import Locked
from kensho.files import replacing
from kensho.models import catalogue
from kensho.models.catalogue import Model
from kensho.validation import problems, read_yaml

PATH = "config/models.lock.yaml"
MEND = "run `snakemake --profile local lock`"
Lock = dict[str, Locked]
HEADER = "# Written by `snakemake lock` from config/models.yaml; a run never changes it.\n"


def load(path: Path | str = PATH) -> tuple[Lock, list[str]]:
    """Locked repositories by hub name, none without a file, and the problems of the file."""
    try:
        raw = read_yaml(Path(path)) or {}
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        return {}, [str(error)]
    if not isinstance(raw, dict):
        return {}, [f"{path}: expected a mapping of hub names; delete it and run `snakemake lock`"]
    lock: Lock = {}
    faults: list[str] = []
    for name, entry in raw.items():
        try:
            lock[name] = Locked.model_validate(entry)
        except ValidationError as error:
            faults += problems(error, str(path), Locked, under=str(name))
    return lock, faults


def write(lock: Mapping[str, Locked], path: Path | str = PATH) -> None:
    content = {name: lock[name].model_dump() for name in sorted(lock)}
    with replacing(path) as temporary:
        temporary.write_text(HEADER + yaml.safe_dump(content, width=1000), encoding="utf-8")


def obstacle(model: Model, lock: Mapping[str, Locked]) -> tuple[str, str] | None:
    """Why the lock does not serve for a model, and the mend."""
    locked = lock.get(model.hub or "")
    if locked is None:
        return "not locked", MEND
    if model.revision not in (None, locked.commit):
        return "locked at another commit than its `revision`", MEND
    return None


def renew(
    models: Mapping[str, Model],
    lock: Lock,
    accepted: Collection[str],
    resolve: Callable[[Model], Locked],
) -> tuple[Lock, list[str]]:
    """The lock with what ``resolve`` says now, and a line for each model.

    What cannot be resolved stays as it was. Raises ValueError where nothing could be.
    """

    def ask(item: tuple[str, Model]) -> tuple[Locked | None, str]:
        name, model = item
        if reasons := catalogue.obstacle(model, accepted):
            return None, f"{name}: left out: {'; '.join(reasons)}"
        before = lock.get(str(model.hub))
        try:
            now = resolve(model)
        except (ValueError, ConnectionError) as error:
            return None, f"{name}: {'left as it was' if before else 'not locked'}: {error}"
        return now, f"{name}: {_change(before, now)}"

    with ThreadPoolExecutor(max_workers=8) as pool:  # they mostly wait for the network
        asked = list(pool.map(ask, models.items()))
    lines = [line for _, line in asked]
    hubs = [model.hub for model in models.values()]
    renewed = {hub: now for hub, (now, _) in zip(hubs, asked, strict=True) if hub and now}
    if not renewed:
        why = f"nothing was written, for no model could be locked; the first: {lines[0]}"
        raise ValueError("\n".join([why, *lines]))
    return lock | renewed, lines


def _change(before: Locked | None, now: Locked) -> str:
    gigabytes = sum(file.bytes for file in now.files.values()) / 1e9
    if before is None:
        return f"locked at {now.commit[:12]}: {len(now.files)} files, {gigabytes:.1f} GB"
    if before.endpoint != now.endpoint:
        return f"locked at {now.endpoint}, before at {before.endpoint}"
    if before.commit != now.commit:
        return f"moved from {before.commit[:12]} to {now.commit[:12]}"
    return "unchanged" if before.files == now.files else "its files differ at the same commit"
