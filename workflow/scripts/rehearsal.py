from kensho.run.job import job

with job(snakemake):
    if faults := snakemake.params.faults:
        raise ValueError(f"{len(faults)} fault(s) of models, the first: {faults[0]}")
