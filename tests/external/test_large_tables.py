"""Memory of large imports, in a process of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parents[2] / "workflow"
IMPORT = """
import re, sys
from kensho.claims.base import ExternalTable
from kensho.external import Experiment, observe
from kensho.observations import read, write

table = ExternalTable.model_validate_json(sys.argv[1])
asked = Experiment([table], ["item"], ["base", "tuned"])
for table, conditions in observe("large", asked).values():
    (path,) = write("large", table, conditions)
    assert read(path)[0].equals(table)
    print(len(table))
# of this program alone: ru_maxrss begins with what the process that started it held
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
print(int(peak) // 1024)
"""
LINES = {  # how a row of a table reads
    "csv": "{arm},item-{item:07d},{score},note\n",
    "jsonl": '{{"arm": "{arm}", "item": "item-{item:07d}", "score": {score}}}\n',
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "items"), [("csv", 250_000), ("csv", 500_000), ("jsonl", 250_000)]
)
def test_a_large_table_is_imported_in_little_memory(tmp_path, format, items):
    with open(tmp_path / "scores", "w") as file:
        file.write("arm,item,score,note\n" if format == "csv" else "")
        for arm in ("base", "tuned"):
            for item in range(items):
                file.write(LINES[format].format(arm=arm, item=item, score=item % 97 / 7))
    keys = f'{{"path": "scores", "format": "{format}"}}'
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, keys],
        cwd=tmp_path,
        env={"PYTHONPATH": str(WORKFLOW)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    base, tuned, megabytes = map(int, done.stdout.split())
    assert base == tuned == items
    assert megabytes < 1000
