import pandas as pd
from kensho.bench.run import Run
from kensho.bench.selftest import conditions, observe
from kensho.files import write_json
from kensho.observations import environment, read, write
from kensho.run.job import job
from kensho.run.registration import registered
from kensho.stats.selftest import verdicts

with job(snakemake):
    claims, blocks = registered("selftest"), snakemake.params.blocks
    run = Run(snakemake.resources.tmpdir, snakemake.threads, snakemake.params.seed)
    timed = observe(blocks, run)
    made = {**environment(), **conditions(blocks, run), "registered": claims}
    paths = write("results/benchmark_data/selftest", timed, made)
    lines = verdicts(pd.concat(read(path)[0] for path in paths))
    for line in lines:
        verdict = "holds" if line["holds"] else "DOES NOT HOLD"
        print(
            f"{line['arm']}: {line['ratio']:.3f} [{line['low']:.3f}, {line['high']:.3f}], "
            f"planted {line['planted']:.2f}: {verdict}"
        )
    if not all(line["holds"] for line in lines):
        raise ValueError("timings of this machine cannot be trusted now; let it rest and try again")
    write_json(snakemake.output.verdicts, {"lines": lines})
