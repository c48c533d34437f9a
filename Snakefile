# Kenshō: published claims in, verdicts out. See README.md and docs/.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.27.1")  # what rules/run.smk patches was read in it
sys.path.insert(0, f"{workflow.basedir}/workflow")

from kensho import messages, place

place.in_utf8()
place.step_out(Path(workflow.basedir))
logger.addFilter(messages.Plain())
if refused := place.refusal(Path(workflow.basedir)):
    raise WorkflowError(refused)


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/run.smk"


container: CONFIG.cluster.container


include: "rules/data.smk"
include: "rules/corpora.smk"
include: "rules/augment.smk"
include: "rules/train.smk"
include: "rules/strategy.smk"
include: "rules/evaluate.smk"
include: "rules/stages.smk"
include: "rules/jlce.smk"
include: "rules/judging.smk"
include: "rules/domain.smk"
include: "rules/experiments.smk"
include: "rules/tokenisers.smk"
include: "rules/serving.smk"
include: "rules/stats.smk"
include: "rules/report.smk"
include: "rules/calibration.smk"
include: "rules/pooled.smk"
include: "rules/audit.smk"
include: "rules/preflight.smk"
include: "rules/budget.smk"
include: "rules/provenance.smk"
include: "rules/rehearsal.smk"


for file in [file for each in workflow.rules for file in each.output]:
    if annotation := annotations.of(file, workflow.current_basedir.join):
        file.clone_flags(file)  # else a plain text would lose what it is flagged with
        file = report(file, **annotation)
if CONFIG.cluster.modules:  # as `container:` does for images
    for each in workflow.rules:
        each.env_modules = EnvModules(*CONFIG.cluster.modules)


wildcard_constraints:
    source="[a-z0-9][a-z0-9.-]*",
    model="[a-z0-9][a-z0-9.-]*",
    arm="[a-z0-9][a-z0-9.-]*",
    summary="statistical|own",
    report="validation|own",
    seed=r"\d+",


localrules:
    all,
    archive,
    benchmark,
    augmentation_study,
    training_studies,
    tokenisers_study,
    domain_study,
    serving_study,
    own,
    sources,
    fetch,
    lock,
    fetch_model,
    lock_corpora,
    fetch_corpus_file,
    corpora,
    verify,
    preflight,
    budget,
    provenance,
    rehearsal,
    calibration,
    calibration_full,
    jlce,
    judging,
    stages,


rule all:
    default_target: True
    input:
        in_languages(*REPORT),
        INPUTS.main_experiments(),


rule benchmark:
    """Every experiment that this configuration can run, every claim that it can test judged."""
    input:
        in_languages(*REPORT),
        # some arms no claim asks for
        INPUTS.experiments_of("benchmark"),


rule augmentation_study:
    """What augmentation gains (F-4), judged on the same page."""
    input:
        in_languages(*REPORT),
        INPUTS.experiments_of("augmentation_study"),


rule training_studies:
    """What decides how well a training ends (C-1, F-7, R-5, L-1 to L-8), judged on the same page."""
    input:
        in_languages(*REPORT),
        INPUTS.experiments_of("training_studies"),


rule tokenisers_study:
    """Tokenisers of one corpus with small models on each (F-5), and published ones beside them."""
    input:
        in_languages("results/tokenisers.html", *REPORT),
        INPUTS.experiments_of("tokenisers_study"),


rule own:
    """Every claim on tables that you bring, in a report of their own; runs no model."""
    input:
        in_languages("results/own_report.html"),


rule sources:
    """Fetch every source of config/sources.yaml whose licence class is accepted."""
    input:
        expand("results/sources/{source}/record.json", source=ACCEPTED_SOURCES),


onstart:
    begin()


onsuccess:
    end(0)
    rehearsed()


onerror:
    end(1)
    rehearsed()
    print(last_failure(), file=sys.stderr)
