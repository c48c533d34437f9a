# One head at a time: it holds the folder, says what failed, and its jobs record what they made.
from snakemake.persistence import PersistenceBase
from snakemake_interface_executor_plugins.settings import ExecMode

# Looked at before the plan is made, too: what ends in between is in the plan.
EARLIER = running.refusal(slurm.queued(Path())) if workflow.is_main_process else None


def begin():
    """Hold the folder as its only head; refuse while jobs of an earlier one still work in it."""
    try:
        workflow.globals["HELD"] = running.hold()  # as long as this process lives
    except ValueError as error:
        raise WorkflowError(str(error)) from None
    if reason := EARLIER or running.refusal(slurm.queued(Path())):
        raise WorkflowError(reason)
    running.sweep(Path("results"))
    for path in (jobs.FAILURES, jobs.GIVEN_UP):
        path.unlink(missing_ok=True)
    jobs.record("run", "started")


def last_failure():
    """What the failed rules said, as the last lines of a run."""
    said = jobs.FAILURES.read_text().splitlines() if jobs.FAILURES.exists() else []
    said += [
        f"job {name} was killed before it could say why (memory, time limit or node) "
        "(its log is under logs/, SLURM's under logs/slurm)"
        for name in jobs.killed()
    ]
    advice = "What is done is kept; mend the cause and give the same command again."
    return "\n".join([*dict.fromkeys(said), advice])  # retries repeat themselves


if not workflow.is_main_process:
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
