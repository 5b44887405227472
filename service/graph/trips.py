"""What is asked, and what carries it: a request for one question, or a list that answers several.

Must never send anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.errors import ServiceError, UnavailableError
from service.graph.answer import Answer
from service.graph.requests import GraphRequest


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A request that somebody made, and where the answer is awaited."""

    request: GraphRequest
    answer: asyncio.Future[Answer]


@dataclass(frozen=True, slots=True, eq=False)
class Trip:
    """A request on its way.

    Attributes:
        questions: what its answer settles: the one that was asked, or all that a list serves.
    """

    request: GraphRequest
    questions: tuple[Question, ...]

    @property
    def mailbox(self) -> str:
        return self.request.mailbox


def put_question(request: GraphRequest) -> Question:
    """Give a question without an answer; an error that nobody waits for does no harm."""
    question = Question(request, asyncio.get_running_loop().create_future())
    question.answer.add_done_callback(_mark_seen)
    return question


def send_one_by_one(questions: Iterable[Question]) -> list[Trip]:
    """Give each question a trip of its own."""
    return [Trip(question.request, (question,)) for question in questions]


def list_questions(trips: Iterable[Trip]) -> list[Question]:
    """Give all questions of these trips, in order."""
    return [question for trip in trips for question in trip.questions]


def answer_all(questions: Iterable[Question], answer: Answer) -> None:
    """Answer what is still open."""
    for question in questions:
        if not question.answer.done():
            question.answer.set_result(answer)


def fail_all(questions: Iterable[Question], error: ServiceError) -> None:
    """Fail what is still open."""
    for question in questions:
        if not question.answer.done():
            question.answer.set_exception(error)


def fail_rest(trips: Sequence[Trip], again: Sequence[Trip]) -> None:
    """Fail what is still open and goes on no other trip: nobody may wait for ever, whatever broke."""
    kept = set(list_questions(again))
    rest = [question for question in list_questions(trips) if question not in kept]
    fail_all(rest, UnavailableError("the request broke off", code="brokeOff"))


def _mark_seen(answer: asyncio.Future[Answer]) -> None:
    """Take note of an error nobody waits for any more, so that asyncio does not complain."""
    if not answer.cancelled():
        answer.exception()
