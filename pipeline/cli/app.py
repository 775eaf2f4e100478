"""The app `curate`: every command is registered here, and every error gets its exit code here."""

import typer
from typer.core import TyperGroup

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

_MEND_FILE = "Check the path, its permissions and the space on its disk."


class _Group(TyperGroup):
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
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)
app.command("run")(run.run)
app.command("list")(listing.list_runs)
app.command("status")(runs.status)
app.command("cancel")(runs.cancel)
app.command("resume")(runs.resume)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("logs")(logs.logs)
app.command("serve")(serve.serve)
app.command("metrics")(metrics.metrics)
app.command("doctor")(doctor.doctor)
app.command("settings")(settings.settings)
app.command("leases")(care.leases)
app.command("reap")(care.reap)
app.command("cost")(cost.cost)
app.add_typer(datapool.app, name="datapool", no_args_is_help=True)
app.add_typer(schedule.app, name="schedule", no_args_is_help=True)
