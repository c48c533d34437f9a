"""Rules read and write what they declare, and nothing else (all of them: tests/whole)."""

from planning import snakemake
from traced import traced, tracing, undeclared

READ = "    Path('results/beside.csv').read_text()\n"
WRITTEN = "    Path('results/analysis/notes.txt').write_text('x')\n"


def test_an_undeclared_read_and_an_undeclared_write_are_told_by_rule_and_path(
    copy, tmp_path_factory
):
    for script, line in (("experiment.py", READ), ("stats/judge.py", WRITTEN)):
        with open(copy / "workflow/scripts" / script, "a", encoding="utf-8") as file:
            file.write(line)
    (copy / "results").mkdir()
    (copy / "results/beside.csv").write_text("x")
    folder = tmp_path_factory.mktemp("trace")
    done = snakemake(copy, "results/analysis/R-5.parameters.json", **tracing(folder, copy))
    assert done.returncode == 0, done.stdout
    assert traced(folder) == {"lora_parameters", "judge_deterministic"}
    assert undeclared(folder) == [
        "judge_deterministic writes results/analysis/notes.txt",
        "lora_parameters reads results/beside.csv",
    ]
