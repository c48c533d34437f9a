"""Run one experiment by hand: ``python -m kensho.bench NAME --output DIR``.

Inputs and settings are those of the workflow unless said otherwise; what is observed carries no
registration of claims, so no claim is judged on it.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from pydantic import ValidationError

from kensho.bench.catalogue import EXPERIMENTS, PREPARATIONS
from kensho.bench.experiment import Experiment
from kensho.bench.inputs import Context
from kensho.bench.run import Run, as_settings
from kensho.data import sources
from kensho.models import catalogue
from kensho.models.hardware import detected
from kensho.observations import environment, write
from kensho.part import NoSettings, resolve
from kensho.validation import Section, problems, suggestion


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
    output = options.output
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise ValueError(f"--output: {output} is no empty folder; name a new one")
    settings = _settings(part, _pairs("--set", options.set))
    files = _inputs(part, settings, options.base, _pairs("--input", options.input))
    values = settings.model_dump(include=None if part.reads is None else {*part.reads})
    written = []
    with TemporaryDirectory() as folder:
        run = Run(Path(folder), threads=options.threads, seed=options.seed)
        for table, conditions in resolve(part.code)(files, as_settings(values), run):
            written += write(output, table, {**environment(), **conditions})
    return written


def _settings(part: Experiment, texts: Mapping[str, str]) -> Section:
    """The settings of an experiment with those changed that are given as YAML."""
    if texts and part.settings is NoSettings:
        raise ValueError(f"--set: {part.name} has no settings; leave it out")
    for job in PREPARATIONS.values():
        only = {*(job.reads or ())} - {*(part.reads or ())} if job.of == part.name else set()
        for key in only & {*texts}:
            raise ValueError(
                f"--set: {key}: {part.name} does not read it, {job.name} does, which the workflow "
                "runs before; leave it out, or set it in the configuration"
            )
    values = {}
    for key, text in texts.items():
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ValueError(f"--set: {key}: '{text}' is no YAML; close what it opens") from None
    try:
        return part.settings.model_validate(values)
    except ValidationError as error:
        raise ValueError("\n".join(problems(error, "--set", part.settings))) from None


def _inputs(part: Experiment, settings: Section, base: str, named: Mapping[str, str]) -> dict:
    """Paths of the workflow's inputs, or of those that are given, by name."""
    known, faults = sources.load("config/sources.yaml")
    if faults:
        raise ValueError("\n".join(faults))
    kinds = {name: source.kind for name, source in known.items()}
    try:
        context = Context(
            base=base,
            expanded=base,
            models=catalogue.load("config/models.yaml", known, {})[0],
            accelerator=detected(),
            kinds=kinds,
            accepted=frozenset(known),
            refused={},
        )
        inputs = part.inputs(settings, context)
    except KeyError as error:
        [name] = error.args
        near = suggestion(name, known)
        raise ValueError(f"--set: no '{name}' in config/sources.yaml, {near}") from None
    for name in named:
        if name not in inputs:
            raise ValueError(f"--input: {part.name} has no '{name}', {suggestion(name, inputs)}")
    return {
        name: [*map(Path, value)] if isinstance(value, list) else Path(value)
        for name, value in {**inputs, **named}.items()
    }


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{option}: '{text}': expected NAME=VALUE")
        if key in pairs:
            raise ValueError(f"{option}: {key} is given twice; leave one out")
        pairs[key] = value
    return pairs


if __name__ == "__main__":
    main()
