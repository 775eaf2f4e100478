"""The app `curate`: every command is registered here, and every error gets its exit code here."""

from functools import partial

import typer

from curation.errors import CurationError
from pipeline.cli import (
    care,
    cost,
    datapool,
    demo,
    doctor,
    export,
    listing,
    logs,
    metrics,
    output,
    report,
    run,
    runs,
    sandbox,
    schedule,
    serve,
    settings,
)
from pipeline.cli.commands import Command, Group

_MEND_FILE = "Check the path, its permissions and the space on its disk."


class _Group(Group):
    """A group whose expected errors are one paragraph and an exit code, never a traceback."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # what it really gets
        try:
            return super().invoke(ctx)
        except CurationError as error:
            output.complain(error.message)
            raise typer.Exit(output.exit_code(error)) from error
        except OSError as error:
            if error.filename is None:  # no file: a closed pipe, which is typer's, or a bug
                raise
            output.complain(f"{error.filename} cannot be used ({error.strerror}). {_MEND_FILE}")
            raise typer.Exit(output.USAGE) from error


app = typer.Typer(
    name="curate",
    cls=_Group,
    help="Turns each new video into a small, diverse set of frames.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback is for bugs, and for whoever gets the report: plain text.
    pretty_exceptions_enable=False,
)
command = partial(app.command, cls=Command)
command("demo")(demo.demo)
command("sandbox")(sandbox.sandbox)
command("run")(run.run)
command("list")(listing.list_runs)
command("status")(runs.status)
command("cancel")(runs.cancel)
command("resume")(runs.resume)
command("report")(report.report)
command("export")(export.export)
command("logs")(logs.logs)
command("serve")(serve.serve)
command("metrics")(metrics.metrics)
command("doctor")(doctor.doctor)
command("settings")(settings.settings)
command("leases")(care.leases)
command("reap")(care.reap)
command("cost")(cost.cost)
app.add_typer(datapool.app, name="datapool", no_args_is_help=True)
app.add_typer(schedule.app, name="schedule", no_args_is_help=True)
