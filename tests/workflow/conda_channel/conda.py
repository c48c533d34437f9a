"""As much of conda's command line as Snakemake calls, over py-rattler's solver and installer."""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from rattler import Platform, install, solve

VERSION = "24.7.1"  # the oldest that Snakemake takes


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--version"]:
            print(f"conda {VERSION}")
        case ["info", "--json"]:
            base = Path(shutil.which("conda")).parents[1]
            print(json.dumps({"conda_prefix": str(base), "platform": str(Platform.current())}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["clean", *_]:
            pass  # archives are the business of py-rattler's cache
        case ["env", "create", *options]:
            parser = argparse.ArgumentParser()
            parser.add_argument("--file", type=Path, required=True)
            parser.add_argument("--prefix", type=Path, required=True)
            for flag in ("--quiet", "--no-default-packages"):
                parser.add_argument(flag, action="store_true")
            given = parser.parse_args(options)
            create(given.file, given.prefix)
        case _:
            sys.exit(f"conda: no command '{' '.join(arguments)}' here")


def create(file: Path, prefix: Path) -> None:
    """Make the environment of a file: conda's packages first, then pip's, as conda does."""
    asked = yaml.safe_load(file.read_text())
    if unknown := set(asked) - {"name", "channels", "dependencies"}:
        sys.exit(f"{file}: unknown keys {', '.join(sorted(unknown))}")
    specs = [one for one in asked["dependencies"] if isinstance(one, str)]
    pips = [one["pip"] for one in asked["dependencies"] if isinstance(one, dict)]
    asyncio.run(link(asked["channels"], specs, prefix))
    for number, requirements in enumerate(pips):
        listed = file.with_suffix(f".pip{number}.txt")
        listed.write_text("\n".join(requirements))
        pip = [prefix / "bin/python", "-m", "pip", "install", "--upgrade", "--requirement", listed]
        subprocess.run(pip, check=True)


async def link(channels: list[str], specs: list[str], prefix: Path) -> None:
    records = await solve(channels, specs)
    await install(records, prefix, show_progress=False)


main(sys.argv[1:])
