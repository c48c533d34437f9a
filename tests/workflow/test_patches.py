"""rules/run.smk patches private code of Snakemake and its plugin, as these versions have it."""

import re
from importlib.metadata import version

from planning import ROOT

RUN = (ROOT / "rules/run.smk").read_text(encoding="utf-8")


def test_patched_code_is_that_of_the_versions_it_was_read_in():
    [read] = re.findall(r"^READ_AGAINST = ({.*})$", RUN, re.M)
    for package, known in re.findall(r'"([\w-]+)": "([\d.]+)"', read):
        assert version(package) == known, (
            f"{package} is {version(package)}: read again GroupJob.postprocess, JobScheduler, "
            "PersistenceBase.finished, auto_report and the plugin's query_job_status and "
            "get_min_job_age; mend rules/run.smk, then READ_AGAINST there"
        )


def test_the_snakefile_asks_for_that_version():
    asked = re.search(r'min_version\("([\d.]+)"\)', (ROOT / "Snakefile").read_text())[1]
    assert f'"snakemake": "{asked}"' in RUN
