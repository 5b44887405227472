"""What goes wrong in a history, by chance: Graph, Redis, the web and the processes. Moves no meeting."""

from __future__ import annotations

from dataclasses import dataclass

from service.sandbox.faults import Faults
from tests.simulation.chance import Chance
from tests.simulation.crew import Crew
from tests.simulation.facts import FactsBook
from tests.simulation.processes import Means, Surroundings, Web
from tests.simulation.story import Story


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backup:
    facts: FactsBook
    last_epochs: dict[str, int]
    born_again_from: list[int]


class Trouble:
    """Makes trouble.

    Attributes:
        level: how much of it there is, 0 to 1.
        last_epochs: of each source, what it had when Redis last lost something, and the service knew of it;
            empty where it did not.
        born_again_from: how many updates stood on each partition's stream when the state was begun after
            that; empty where it was not.
    """

    def __init__(self, around: Surroundings, web: Web, crew: Crew, story: Story) -> None:
        self.level: float = around.chance.pick((0.0, 0.5, 1.0, 1.0))
        self.last_epochs: dict[str, int] = {}
        self.born_again_from: list[int] = []
        self._told_epochs: dict[str, int] = {}
        self._around = around
        self._chance: Chance = around.chance
        self._tenant = around.tenant
        self._server = around.server
        self._web = web
        self._crew = crew
        self._story = story
        self._backup: _Backup | None = None
        self._server.on_generation = self._note_generation

    def begin(self) -> None:
        """Lose from the start what is to be found by other means."""
        means = self._around.means
        self._tenant.faults.active = Faults(drop=self._draw_loss() if means is not Means.ALL else 0.0)
        self._crew.trouble = self.level

    def make(self) -> None:
        """Let one thing go wrong, or nothing."""
        if not self._chance.happens(0.35 * self.level):
            return
        means = self._around.means
        kinds = [self._disturb_graph, self._disturb_graph, self._crew.kill_somebody, self._stop_web]
        if means is not Means.NOTIFICATIONS:
            kinds += [self._lose_subscriptions, self._forget_deltas, self._end_lease, self._report_missed]
            kinds += [self._crew.kill_leader]
        if means is Means.ALL:
            kinds += [self._lose_redis, self._back_up_or_restore, self._back_up_or_restore]
        self._chance.pick(kinds)()

    def calm_down(self) -> None:
        """Let nothing go wrong any more, but for what the means of the history demand."""
        self.level = 0.0
        self._tenant.faults.active = Faults(drop=1.0 if self._around.means is Means.SWEEPS else 0.0)
        self._web.is_down, self._web.loses_replies = False, 0.0
        self._crew.calm()
        self._story.tell("all is calm")

    # --- Graph ---

    def _disturb_graph(self) -> None:
        faults = Faults(
            drop=self._draw_loss(),
            duplicate=self._chance.pick((0, 0.3)),
            reorder=self._chance.pick((0, 0.5)),
            throttle=self._chance.pick((0, 0.2)),
            unavailable=self._chance.pick((0, 0.2)),
            handshake=self._chance.pick((0, 0.8)),
            delay_s=self._chance.pick((0, 0, 20)),
            lifetime_s=self._chance.pick((None, None, 400)) if self._around.means is Means.ALL else None,
        )
        self._tenant.faults.active = faults
        self._story.tell(f"trouble: {faults}")

    def _draw_loss(self) -> float:
        """Draw how many notifications are lost: none or all where nothing or only sweeps would find them."""
        match self._around.means:
            case Means.NOTIFICATIONS:
                return 0.0
            case Means.SWEEPS:
                return 1.0
            case Means.ALL:
                return self._chance.pick((0, 0.3, 1.0))

    def _lose_subscriptions(self) -> None:
        if self._chance.happens(0.5):
            count = self._tenant.lifecycle.remove_at_random(self._chance.count(1, 3))
            self._story.tell(f"{count} subscriptions are removed")
            return
        for subscription in tuple(self._tenant.book.list_all())[:2]:
            self._tenant.book.remove(subscription)
        self._story.tell("two subscriptions vanish without a word")

    def _forget_deltas(self) -> None:
        count = self._tenant.world.expire_delta_tokens(self._chance.count(1, 6))
        self._story.tell(f"{count} delta tokens expire")

    def _report_missed(self) -> None:
        self._tenant.lifecycle.report_missed_at_random(2)
        self._story.tell("Graph says that notifications were missed")

    # --- the service and its Redis ---

    def _stop_web(self) -> None:
        self._web.is_down = not self._web.is_down
        self._web.loses_replies = self._chance.pick((0, 0.3))
        self._story.tell(f"web is down: {self._web.is_down}")

    def _end_lease(self) -> None:
        self._server.end_lease()
        self._story.tell("the lease is lost")

    def _lose_redis(self) -> None:
        if self._chance.happens(0.7):
            return
        self._note_epochs()
        self.last_epochs.update(self._told_epochs)
        self._server.flush()
        self._around.facts.clear()
        self._story.tell("Redis loses everything")

    def _note_epochs(self) -> None:
        """Note what consumers have been told, before it is lost."""
        for fields in self._server.read_updates():
            held = self._told_epochs.get(fields["source"], 0)
            self._told_epochs[fields["source"]] = max(held, int(fields["epoch"]))

    def _note_generation(self) -> None:
        """Take note that the service knows of a loss, of everything or to a backup: epochs rise."""
        facts, keys = self._around.facts, self._around.keys
        facts.end_epochs([one for one in facts.meetings() if self._server.ask("EXISTS", keys.meeting(*one))])
        self.last_epochs.update(self._told_epochs)
        self.born_again_from = self._server.count_updates()

    def _back_up_or_restore(self) -> None:
        """Make a backup, or go back to the one that there is, however old."""
        if self._backup is None or self._chance.happens(0.15):
            self._server.back_up()
            self._backup = _Backup(
                facts=self._around.facts.copy(),
                last_epochs=dict(self.last_epochs),
                born_again_from=self.born_again_from,
            )
            self._story.tell("a backup of Redis is made")
        elif self._chance.happens(0.5):
            self._note_epochs()
            self._server.restore()
            self._around.facts.restore(self._backup.facts)
            self.last_epochs.clear()
            self.last_epochs.update(self._backup.last_epochs)
            self.born_again_from = self._backup.born_again_from
            self._story.tell("Redis goes back to its backup")
