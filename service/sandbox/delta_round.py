"""What every delta query has in common: a round begins, goes on page by page, and ends with a delta link.

Source: https://learn.microsoft.com/graph/delta-query-overview
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from service.sandbox.call import Call
from service.sandbox.delta_tokens import DeltaState
from service.sandbox.items import Json
from service.sandbox.odata import link
from service.sandbox.wire import GraphFault, GraphResponse

_TOKENS = ("$skiptoken", "$deltatoken")


@dataclass(frozen=True, slots=True)
class Round:
    """A round as one request finds it.

    Attributes:
        is_new: nothing was collected yet: it begins, from the start or from a delta token.
    """

    state: DeltaState
    is_new: bool

    def filled(self, waiting: Sequence[object], position: object) -> Round:
        """Give the round with what it has to give, and the position from which the next one will start."""
        return Round(replace(self.state, position=position, waiting=tuple(waiting)), is_new=False)


def begin_or_resume(call: Call, allowed: Sequence[str], begin: Callable[[], object]) -> Round:
    """Take up the round that the request means.

    Args:
        allowed: query options with which a round may begin; beside a token none is allowed.
        begin: reads the query of a new round.

    Raises:
        GraphFault: 400 or 410 for a token that is not known, 400 for options beside a token.
    """
    tokens = [(name, value) for name, value in call.request.query if name.lower() in _TOKENS]
    if not tokens:
        return Round(DeltaState(begin(), None), is_new=True)
    if len(call.request.query) > 1:
        raise GraphFault(
            400,
            "ErrorInvalidUrlQuery",
            "A link of a delta query must be used as it is, without other parameters.",
        )
    name, token = tokens[0]
    state = call.world.delta_tokens.redeem(
        token, build_link=lambda fresh: link(call.request, [("$deltatoken", fresh)])
    )
    if name.lower() == "$deltatoken":
        return Round(replace(state, waiting=()), is_new=True)
    return Round(state, is_new=False)


def answer_round(
    call: Call, round_: Round, draw: Callable[[object], Json], *, size: int, name: str
) -> GraphResponse:
    """Give one page, and the link to the next page or to the next round."""
    waiting = round_.state.waiting
    page, rest = waiting[:size], waiting[size:]
    token = call.world.delta_tokens.issue(replace(round_.state, waiting=rest))
    kind, option = ("nextLink", "$skiptoken") if rest else ("deltaLink", "$deltatoken")
    context = f"{call.request.base_url}/$metadata#Collection({name})"
    return call.answer(
        {
            "@odata.context": context,
            f"@odata.{kind}": link(call.request, [(option, token)]),
            "value": [draw(one) for one in page],
        }
    )
