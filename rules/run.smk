# One head at a time: it holds the folder, says what failed, and its jobs record what they made.
import functools
from collections import Counter
from contextlib import suppress

from kensho.models import hardware
from kensho.plan import forecast, rates
from snakemake.jobs import GroupJob
from snakemake.persistence import PersistenceBase
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake_interface_executor_plugins.settings import ExecMode

# What is patched below is private to these versions; with others, read it again (test_patches.py).
READ_AGAINST = {"snakemake": "9.27.1", "snakemake-executor-plugin-slurm": "2.8.0"}
MINE = os.environ.get("SLURM_JOB_ID")  # of a head that is a job itself; the plugin unsets it
# Looked at before the plan is made, too: what ends in between is in the plan.
EARLIER = running.refusal(slurm.queued(Path(), MINE)) if workflow.is_main_process else None


def begin():
    """Hold the folder as its only head; refuse while jobs of an earlier one still work in it."""
    submits = workflow.executor_plugin.name == "slurm"
    fetched = [job for job in workflow.dag.needrun_jobs() if job.rule.name == "fetch_model"]
    if lacking := [*filter(None, (RUN.obstacle(job.wildcards.model) for job in fetched))]:
        raise WorkflowError("\n".join(["models are missing, nothing was run:", *lacking]))
    try:
        workflow.globals["HELD"] = running.hold()  # as long as this process lives
        reason = EARLIER or running.refusal(slurm.queued(Path(), MINE, strict=submits))
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    if reason:
        raise WorkflowError(reason)
    if submits:  # preflight asks whether they fit
        os.environ.update(KENSHO_PARTITIONS=str(workflow.executor_settings.partition_config or ""))
    try:
        running.sweep(Path("results"))
        # Killed jobs leave their scripts, in which the whole configuration stands.
        for path in Path(".snakemake/scripts").glob("tmp*"):
            path.unlink()
        record_beginning()
    except (OSError, ValueError) as error:  # a full disk, most likely
        raise WorkflowError(f"{error}; mend it and give the same command again") from None


def record_beginning():
    """Say in the log what this head runs; its jobs inherit the id."""
    begun = head.began(
        ["snakemake", *sys.argv[1:]],
        TARGETS,
        CONFIG.model_dump(mode="json", exclude={"paths"}),  # places of this machine
        [*workflow.configfiles, *head.profiles(COMMAND)],
        Counter(job.rule.name for job in workflow.dag.needrun_jobs()),
    )
    os.environ[events.RUN] = begun.run
    events.append(begun)
    if installed := record.installed(events.read(events.LOG, "installed")):
        events.append(installed)


def end(status):
    """Say in the log how this head ended."""
    with suppress(OSError, ValueError):
        events.append(head.ended(status, events.read()))


def last_failure():
    """What failed, as the last lines of a run."""
    advice = "What is done is kept; mend the cause and give the same command again."
    return "\n".join([*events.failures(events.of_last_run(events.read())), advice])


def forecast_of(run, jobs=None, timed=False, config=None):
    """What the jobs of a run or another `config` will take; where `timed`, processors' too."""
    resources = workflow.resource_settings
    most = resources.max_threads or resources.cores or 64
    device = rates.machine(run.config, hardware.load(Path("resources/hardware.yaml")))
    processor = rates.processor() if timed else rates.Machine()
    known = forecast.Known(
        run.models,
        run.lock,
        run.cards,
        processor if run.config.accelerator == "none" else device,
        processor,
        cores=most,
        asked=directives.asked(workflow.rules, most),
        jobs=jobs,
        network=run.config.cluster.network * 1e6,
        durations=rates.durations(Path("resources/durations.yaml"), processor) if timed else {},
    )
    return forecast.forecast(config or run.config, run.plan, known)


@functools.cache
def places():
    """Accelerators and memory of jobs that run a model, as the head's plan says; jobs inherit it."""
    if workflow.is_main_process:
        planned = forecast.places(forecast_of(REAL if REHEARSED else RUN))
        if REHEARSED:  # twins weigh nothing
            planned = {job: (devices, 0) for job, (devices, _) in planned.items()}
        os.environ[forecast.PLACES] = json.dumps(planned)
    return json.loads(os.environ[forecast.PLACES])


DIRECTIVES.places = places


def foreseen():
    """What jobs of each rule will take, and why some cannot be foreseen."""
    every = {rule.name: 1 for rule in workflow.rules}
    rows = forecast_of(RUN, every, timed=True, config=RUN.as_had())
    unknown = dict.fromkeys(row.why for row in rows if row.model and row.seconds is None)
    return {"rules": forecast.by_rule(rows), "unknown": [*unknown], "earlier": as_configured(every)}


def as_configured(every):
    """What is foreseen for the runs of this folder, each with its own configuration, by their ids."""
    known, earlier = {}, {}
    for begun in events.read(events.LOG, "run"):
        config = begun.head.config
        if (text := json.dumps(config, sort_keys=True)) not in known:
            known[text] = {}
            with suppress(ValueError):  # a configuration that this version no longer reads
                run = load.load(head.restored(config), [], head=None, targets=None, outdated=None)
                rows = forecast_of(run, every, timed=True, config=run.as_had())
                known[text] = forecast.by_rule(rows)
        earlier[begun.run] = known[text]
    return earlier


def rehearsed():
    """Print what ran and what failed."""
    if REHEARSED:
        past = events.of_last_run(events.read())
        print(rehearsal.as_table(past, LACKING, FAULTS), file=sys.stderr)
        print(f"\nthe real run\n{forecast.as_table(FORESEEN)}", file=sys.stderr)


if workflow.is_main_process:
    # What a group had finished stays when another job of it fails.
    clean = GroupJob.postprocess
    GONE = {}  # see slurm.settled
    plugin = sys.modules.get("snakemake_executor_plugin_slurm")

    async def postprocess(self, error=False, **kwargs):
        if not error:
            return await clean(self, **kwargs)
        states = events.states(events.of_last_run(events.read()))
        for job in self:
            there = all(map(os.path.exists, job.output))
            made = there and states.get(events.named(job.rule.name, job.wildcards)) == "finished"
            await job.postprocess(error=not made, check_output_mtime=False, **kwargs)

    GroupJob.postprocess = postprocess
    JobScheduler._schedule_reevalutation = head.spaced(JobScheduler._schedule_reevalutation)
    if plugin:
        ask = plugin.query_job_status

        async def query_job_status(command, logger):
            states, seconds = await ask(command, logger)
            if states is not None:
                ends = slurm.ended(events.of_last_run(events.read()))
                states = slurm.settled(GONE, states, ends)
            return states, seconds

        plugin.query_job_status = query_job_status
        plugin.get_min_job_age = slurm.remembered(plugin.get_min_job_age)

    # A partial run is shown as far as it went; Snakemake would refuse it.
    if COMMAND.report:
        from snakemake import report as reporter

        flagged = reporter.is_flagged
        reporter.is_flagged = lambda file, flag: flagged(file, flag) and os.path.exists(file)
else:
    # In a group, what does not need a failed job goes on; Snakemake leaves keep-going to the head.
    scheduled = JobScheduler.__init__

    def schedule(self, workflow, *arguments, **settings):
        workflow.execution_settings.keep_going = True
        scheduled(self, workflow, *arguments, **settings)

    JobScheduler.__init__ = schedule

    # A job itself records how its outputs were made (its head may be gone by then), so that later
    # changes still rerun it. Snakemake leaves that to the head alone.
    recorded = PersistenceBase.finished

    async def finished(self, job):
        mode, settings = workflow.exec_mode, workflow.workflow_settings
        settings.exec_mode = ExecMode.DEFAULT
        try:
            await recorded(self, job)
        finally:
            settings.exec_mode = mode

    PersistenceBase.finished = finished
