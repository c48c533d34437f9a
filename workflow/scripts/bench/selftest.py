import pandas as pd
from kensho.bench.selftest import conditions, observe
from kensho.files import write_json
from kensho.observations import read, write
from kensho.run.job import job
from kensho.run.registration import registered
from kensho.stats.selftest import verdicts

with job(snakemake):
    claims = registered("selftest")
    settings = {**snakemake.params.settings, "threads": snakemake.threads}
    described = {**conditions(**settings), "registered": claims}
    paths = write("results/benchmark_data/selftest", observe(**settings), described)
    found = verdicts(pd.concat(read(path)[0] for path in paths))
    for line in found:
        said = "holds" if line["holds"] else "DOES NOT HOLD"
        print(
            f"{line['arm']}: {line['ratio']:.3f} [{line['low']:.3f}, {line['high']:.3f}], "
            f"planted {line['planted']:.2f}: {said}"
        )
    if not all(line["holds"] for line in found):
        raise ValueError("timings of this machine cannot be trusted now; let it rest and try again")
    write_json(snakemake.output.verdicts, {"lines": found})
