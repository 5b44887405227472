"""The command line: which commands there are. What each does stands in `service/commands/`.

A command is imported when it is used, so that `--help`, and whatever needs little, starts at once.
"""

from __future__ import annotations

from typing import Final

import typer

from service.commands.group import Listed, build_group

PROGRAM: Final = "response-sync"

COMMANDS: Final = {
    "demo": Listed(
        place="demo:demo",
        summary="Play the walkthrough of a delegated calendar, "
        "from the sandbox's Graph API to the update stream.",
        example="response-sync demo --keep",
    ),
    "serve": Listed(
        place="roles:serve",
        summary="Run web, worker and keeper in one process.",
        example="response-sync serve --embedded --data ./data",
    ),
    "web": Listed(
        place="roles:web",
        summary="Take notifications from Graph and store them.",
        example="PORT=8080 response-sync web",
    ),
    "worker": Listed(
        place="roles:worker",
        summary="Read what notifications point to, reconcile, and publish updates.",
        example="response-sync worker",
    ),
    "keeper": Listed(
        place="roles:keeper",
        summary="Keep subscriptions alive, and find by delta queries what notifications left out.",
        example="response-sync keeper",
    ),
    "sandbox": Listed(
        place="sandbox:sandbox",
        summary="Run the Graph sandbox until SIGTERM; prints one line of JSON when it is ready.",
        example="response-sync sandbox --port 8443 --env-file .env",
    ),
    "check": Listed(
        place="check:check",
        summary="Check settings, Redis, token, permissions, mailboxes and the public URL; "
        "exit 1 on any fault.",
        example="response-sync check --json",
    ),
    "login": Listed(
        place="login:login",
        summary="Sign a person in by a code for a browser, so that the service reads their own mailbox.",
        example="response-sync login adele@contoso.com",
    ),
    "logout": Listed(
        place="login:logout",
        summary="Forget a person's sign-in, and end the subscriptions that were made in their name.",
        example="response-sync logout adele@contoso.com",
    ),
    "owners": Listed(place="owners:owners", summary="The roster: whose calendars are watched."),
    "subscriptions": Listed(
        place="subscriptions:subscriptions",
        summary="Subscriptions: ours and Graph's side by side; renewed, recreated or ended.",
    ),
    "resync": Listed(
        place="resync:resync",
        summary="Read all mailboxes of an owner again from the beginning, with progress; the keeper does it.",
        example="response-sync resync alex@contoso.com",
    ),
    "keys": Listed(place="keys:keys", summary="Keys and certificates for rich notifications."),
    "show": Listed(
        place="show:show",
        summary="Show the attendees of an owner's meetings with answer, standing and witnesses.",
        example="response-sync show alex@contoso.com",
    ),
    "explain": Listed(
        place="explain:explain_answers",
        summary="Tell the story of an answer: facts, rule, what was published, what was skipped.",
        example="response-sync explain alex@contoso.com 'Lunch' christie@contoso.com",
    ),
    "tail": Listed(
        place="tail:tail",
        summary="Follow the update stream: one line per update, as it is published.",
        example="response-sync tail --json --from-beginning",
    ),
    "snapshot": Listed(
        place="snapshot:snapshot",
        summary="Append a response.snapshot for every attendee of every meeting held.",
        example="response-sync snapshot alex@contoso.com",
    ),
    "replay": Listed(place="replay:replay", summary="Dead letters: entries that were given up."),
}

app = typer.Typer(
    name=PROGRAM,
    cls=build_group(COMMANDS),
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show secrets.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Who is coming: reconciles meeting responses in delegate inboxes with owner calendars.",
)


@app.callback()
def _begin() -> None:
    """Have a group although no command is known before it is used."""
