"""The command line: which commands there are. What each does stands in `service/commands/`."""

from __future__ import annotations

from typing import Final

import typer

from service.commands.check import check
from service.commands.demo import demo
from service.commands.explain import explain_answers
from service.commands.owners import owners
from service.commands.roles import keeper, serve, web, worker
from service.commands.running import ServiceGroup
from service.commands.sandbox import sandbox
from service.commands.show import show
from service.commands.snapshot import snapshot
from service.commands.subscriptions import subscriptions
from service.commands.tail import tail

PROGRAM: Final = "response-sync"

app = typer.Typer(
    name=PROGRAM,
    cls=ServiceGroup,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show secrets.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Who is coming: reconciles meeting responses in delegate inboxes with owner calendars.",
)
app.command(epilog="Example: response-sync demo --keep")(demo)
app.command(epilog="Example: response-sync serve --embedded --data ./data")(serve)
app.command(epilog="Example: PORT=8080 response-sync web")(web)
app.command(epilog="Example: response-sync worker")(worker)
app.command(epilog="Example: response-sync keeper")(keeper)
app.command(epilog="Example: response-sync sandbox --port 8443 --env-file .env")(sandbox)
app.command(epilog="Example: response-sync check --json")(check)
app.add_typer(owners, name="owners")
app.add_typer(subscriptions, name="subscriptions")
app.command(epilog="Example: response-sync show alex@contoso.com")(show)
app.command("explain", epilog="Example: response-sync explain alex@contoso.com 'Lunch' christie@contoso.com")(
    explain_answers
)
app.command(epilog="Example: response-sync tail --json --from-beginning")(tail)
app.command(epilog="Example: response-sync snapshot alex@contoso.com")(snapshot)
