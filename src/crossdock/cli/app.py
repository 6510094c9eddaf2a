"""Every command of `crossdock`, by what it is for. What a command needs is imported when it runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from crossdock.cli import acting, comparing, events, feeding, looking, setting_up, status, translating
from crossdock.cli.output import print_error
from crossdock.errors import CrossdockError


class Commands(TyperGroup):
    """Tells our own errors in one line, with what to do; a defect keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (CrossdockError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            print_error(error)
            raise typer.Exit(2) from None


SET_UP, LOOK, ACT, INTEGRATE = "Set up and run", "Look", "Act", "Integrate"

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The order backbone of a retailer: every order kept, understood, decided once and sent on, once in effect.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from crossdock import __version__

        typer.echo(f"crossdock {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


cases = typer.Typer(cls=TyperGroup, help="What a person must look at: list, show, and settle it.")
cases.callback(invoke_without_command=True)(looking.cases)
cases.command("show")(looking.show_case)
cases.command("retry")(acting.retry)
cases.command("edit")(acting.edit)
cases.command("release")(acting.release)
cases.command("resolve")(acting.resolve)
cases.command("done")(acting.done)

telling = typer.Typer(no_args_is_help=True, help="Events: which there are, and telling a subscriber again.")
telling.command("types")(events.types)
telling.command("replay")(events.replay)

app.command("init", rich_help_panel=SET_UP)(setting_up.init)
app.command("check", rich_help_panel=SET_UP)(setting_up.check)
app.command("up", rich_help_panel=SET_UP)(setting_up.up)
app.command("demo", rich_help_panel=SET_UP)(setting_up.demo)
app.command("status", rich_help_panel=LOOK)(status.status)
app.command("orders", rich_help_panel=LOOK)(looking.orders)
app.command("trace", rich_help_panel=LOOK)(looking.trace)
app.command("proof", rich_help_panel=LOOK)(looking.proof)
app.command("compare", rich_help_panel=LOOK)(comparing.compare)
app.add_typer(cases, name="cases", rich_help_panel=ACT)
app.command("replay", rich_help_panel=ACT)(acting.replay)
app.add_typer(telling, name="events", rich_help_panel=ACT)
app.command("translate", rich_help_panel=INTEGRATE)(translating.translate)
app.command("feed", rich_help_panel=INTEGRATE)(feeding.feed)
app.command("connectors", rich_help_panel=INTEGRATE)(translating.connectors)
