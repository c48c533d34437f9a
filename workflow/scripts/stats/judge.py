from pathlib import Path

from kensho.claims.model import Claim
from kensho.files import replacing, write_json
from kensho.run.job import job
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive

with job(snakemake):
    analysis, posterior = derive(
        Claim.model_validate(snakemake.params.claim),
        Path("results"),
        Settings(
            family_size=snakemake.params.family_size,
            seed=snakemake.params.seed,
            **snakemake.params.stats,
        ),
    )
    if hasattr(snakemake.output, "posterior"):  # empty where nothing could be fitted
        from arviz import InferenceData

        with replacing(snakemake.output.posterior) as temporary:
            (posterior or InferenceData()).to_netcdf(str(temporary))
    write_json(snakemake.output.analysis, analysis.model_dump(mode="json"))
