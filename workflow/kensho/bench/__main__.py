"""Run one experiment by hand: ``python -m kensho.bench NAME --output DIR``.

Inputs and settings are those of the workflow unless said otherwise; what is observed carries no
registration of claims, so no claim is judged on it.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from pydantic import ValidationError

from kensho.bench.catalogue import EXPERIMENTS, Context
from kensho.bench.run import Run, as_settings
from kensho.data import sources
from kensho.models.hardware import detected
from kensho.observations import environment, write
from kensho.part import resolve
from kensho.validation import problems


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m kensho.bench", description=__doc__)
    parser.add_argument("name", help=f"one of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--output", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--base", default="smollm2-135m-instruct", help="model that is adapted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        for path in observe(options):
            print("wrote", path)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


def observe(options: argparse.Namespace) -> list[Path]:
    """Run the experiment and write its tables. Raises ValueError naming what is wrong."""
    part = EXPERIMENTS[options.name]
    values = {key: yaml.safe_load(value) for key, value in map(_pair, options.set)}
    try:
        settings = part.settings.model_validate(values)
    except ValidationError as error:
        raise ValueError("\n".join(problems(error, "--set", part.settings))) from None
    known, faults = sources.load("config/sources.yaml")
    if faults:
        raise ValueError("\n".join(faults))
    kinds = {name: source.kind for name, source in known.items()}
    context = Context(options.base, detected(), kinds, frozenset(known), {})
    inputs = dict(part.inputs(settings, context)) | dict(map(_pair, options.input))
    files = {
        name: [*map(Path, value)] if isinstance(value, list) else Path(value)
        for name, value in inputs.items()
    }
    values = settings.model_dump(include=None if part.reads is None else {*part.reads})
    written = []
    with TemporaryDirectory() as folder:
        run = Run(Path(folder), threads=options.threads, seed=options.seed)
        for table, conditions in resolve(part.code)(files, as_settings(values), run):
            written += write(options.output, table, {**environment(), **conditions})
    return written


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"'{text}': expected NAME=VALUE")
    return key, value


if __name__ == "__main__":
    main()
