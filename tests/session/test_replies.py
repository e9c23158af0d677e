"""Whose is each reply? Every request with every message, and the conversations in which that is not plain."""

import random
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import MalformedMessage, UpstreamError
from strongroom.session.replies import REPLIES, UNDER_WAY, Owed, Replies, Request, Series, Turn
from strongroom.wire.postgres.codec import message

FROM_UPSTREAM = "123ACDEGHIKNRSTVWZcdnstv"
"""The types of all messages that a PostgreSQL may send (manual, "Message Formats", those marked B)."""

MADE_BY_REPLIES = (Request.SYNC, Request.MAYBE_SYNC, Request.COPY_END)


def asked(*requests: Request) -> tuple[Replies, list[Owed]]:
    replies = Replies()
    owed = [Owed(request) for request in requests]
    for one in owed:
        if one.request is Request.SYNC:
            replies.sync()
        else:
            replies.ask(one)
    return replies, owed


def answers(replies: Replies, tags: str) -> list[Request]:
    return [replies.answer(ord(tag)).request for tag in tags]


@pytest.mark.parametrize("request_", [one for one in Request if one not in MADE_BY_REPLIES])
@pytest.mark.parametrize("tag", FROM_UPSTREAM)
def test_a_request_takes_the_replies_of_the_table_and_no_others(request_: Request, tag: str) -> None:
    """What stands in the table is attributed to the request; anything else is an error of the upstream."""
    replies, owed = asked(request_)
    turn = REPLIES.get((request_, tag))
    if turn is None:
        with pytest.raises(UpstreamError):
            replies.answer(ord(tag))
        return
    assert replies.answer(ord(tag)) is owed[0]
    fails_alone = turn is Turn.FAILS and request_ in (Request.QUERY, Request.READ)
    stays = turn in (Turn.STAYS, Turn.COPY_IN) or fails_alone
    assert replies.head is (owed[0] if stays else None)
    assert replies.copying_in is (turn is Turn.COPY_IN)
    assert replies.skipping is (turn is Turn.FAILS and not fails_alone)


@pytest.mark.parametrize("tag", FROM_UPSTREAM)
def test_nothing_is_owed_before_something_is_asked(tag: str) -> None:
    """A message that answers nothing is an error of the upstream."""
    with pytest.raises(UpstreamError):
        Replies().answer(ord(tag))


def series_of(rounds: int) -> tuple[Replies, Series, list[str]]:
    """A series of described rounds with a Sync behind it; what is taken back when it fails."""
    replies = Replies()
    undone: list[str] = []
    each = [Owed(one) for one in (Request.BIND, Request.DESCRIBE_PORTAL, Request.EXECUTE)]
    series = Series("a form", rounds, each, "the portal", lambda: undone.append("the portal"))
    replies.ask(series)
    return replies, series, undone


PLAIN = message(b"2", b"") + message(b"n", b"") + message(b"C", b"INSERT 0 1\0")


def test_plain_answers_to_a_series_are_counted() -> None:
    """Its portal is named once, with the first; if all is wanted and something follows, nothing is taken."""
    replies, series, _ = series_of(5)
    assert replies.plain(PLAIN * 2 + PLAIN[:-1], 0, whole=True) == (0, None)
    assert replies.plain(PLAIN * 2 + PLAIN[:-1], 0, whole=False) == (6, series)
    assert replies.plain(PLAIN * 2, 0, whole=True) == (6, None)
    assert series.rounds == 1
    assert replies.plain(PLAIN * 2, 0, whole=False) == (3, None)
    assert not replies.owes
    assert replies.plain(PLAIN, 0, whole=False) == (0, None)


def test_a_series_goes_on_only_in_its_form_and_as_the_last() -> None:
    """Anything asked for behind it ends it."""
    replies, series, _ = series_of(1)
    assert replies.goes_on("a form", 2)
    assert series.rounds == 3
    assert not replies.goes_on("another form", 1)
    replies.sync()
    assert not replies.goes_on("a form", 1)
    assert not Replies().goes_on("a form", 1)


def test_a_round_of_a_series_is_answered_message_by_message() -> None:
    """As if it had been asked for so; the first Bind names the portal, and the later ones nothing."""
    replies, series, _ = series_of(2)
    first = [replies.answer(ord(tag)) for tag in "2nC"]
    assert [one.request for one in first] == [Request.BIND, Request.DESCRIBE_PORTAL, Request.EXECUTE]
    assert first[0].subject == "the portal"
    assert [replies.answer(ord(tag)) for tag in "2nC"] == list(series.each)
    assert not replies.owes


@pytest.mark.parametrize(
    ("answered", "undone"), [("", ["the portal"]), ("2", []), ("2nC", []), ("2nC2n", [])]
)
def test_a_series_that_fails_is_skipped(answered: str, undone: list[str]) -> None:
    """Up to the Sync; its portal is taken back where it was not named yet."""
    replies, _, taken_back = series_of(3)
    replies.sync()
    answers(replies, answered + "E")
    assert answers(replies, "Z") == [Request.SYNC]
    assert taken_back == undone


def test_a_pipeline_is_answered_in_order() -> None:
    """Each reply of a pipelined prepare, describe and run is attributed in the order of asking."""
    replies, _ = asked(
        Request.PARSE,
        Request.DESCRIBE_STATEMENT,
        Request.BIND,
        Request.DESCRIBE_PORTAL,
        Request.EXECUTE,
        Request.CLOSE,
        Request.SYNC,
        Request.QUERY,
    )
    whose = answers(replies, "1tT2TDDC3ZTDCTDCZ")
    assert whose == [
        Request.PARSE,
        *[Request.DESCRIBE_STATEMENT] * 2,
        Request.BIND,
        Request.DESCRIBE_PORTAL,
        *[Request.EXECUTE] * 3,
        Request.CLOSE,
        Request.SYNC,
        *[Request.QUERY] * 7,
    ]
    assert replies.quiet


def test_after_an_error_everything_up_to_sync_is_skipped() -> None:
    """An error takes along what was pipelined behind it, but nothing behind the Sync."""
    replies, owed = asked(
        Request.PARSE, Request.BIND, Request.EXECUTE, Request.QUERY, Request.SYNC, Request.PARSE, Request.SYNC
    )
    assert replies.answer(ord("E")) is owed[0]
    assert answers(replies, "Z") == [Request.SYNC]
    assert replies.answer(ord("1")) is owed[5]


def test_what_is_sent_while_upstream_skips_is_not_owed() -> None:
    """After an error with no Sync behind it, nothing is owed before the next Sync."""
    replies, _ = asked(Request.PARSE)
    replies.answer(ord("E"))
    assert replies.skipping
    replies.ask(Owed(Request.BIND))
    replies.ask(Owed(Request.QUERY))
    assert replies.quiet
    replies.sync()
    after = Owed(Request.PARSE)
    replies.ask(after)
    assert answers(replies, "Z") == [Request.SYNC]
    assert replies.answer(ord("1")) is after


def test_what_was_skipped_is_undone_last_first() -> None:
    """Each undo runs once, the newest change first, and those behind the Sync do not run."""
    undone: list[int] = []
    replies = Replies()
    for number in range(4):
        if number == 3:
            replies.sync()
        replies.ask(Owed(Request.PARSE, undo=partial(undone.append, number)))
    replies.answer(ord("1"))
    replies.answer(ord("E"))
    assert undone == [2, 1]


def test_a_failed_query_ends_by_itself() -> None:
    """The error of a simple query is followed by its ReadyForQuery, and skips nothing."""
    replies, _ = asked(Request.QUERY, Request.PARSE)
    assert answers(replies, "TDEZ1") == [Request.QUERY] * 4 + [Request.PARSE]


def test_a_commit_that_fails_at_sync_still_gets_its_ready() -> None:
    """A deferred constraint fails at Sync, whose ReadyForQuery comes all the same."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC, Request.PARSE)
    assert answers(replies, "CEZ1") == [Request.EXECUTE, Request.SYNC, Request.SYNC, Request.PARSE]


# -------------------------------------------------------------------------------------------- COPY


def test_copy_by_a_simple_query() -> None:
    """Data is asked for, sent, ended, and the query goes on with its next statement."""
    replies, _ = asked(Request.QUERY)
    assert not replies.copying_in
    answers(replies, "G")
    assert replies.copying_in
    replies.copy_end()
    assert not replies.copying_in
    assert answers(replies, "CTDCZ") == [Request.QUERY] * 5
    assert replies.head is None


def test_two_copies_in_one_query() -> None:
    """After the first COPY is through, the second asks for its own data."""
    replies, _ = asked(Request.QUERY)
    for _ in range(2):
        answers(replies, "G")
        assert replies.copying_in
        replies.copy_end()
        answers(replies, "C")
    assert answers(replies, "Z") == [Request.QUERY]
    assert replies.head is None


def test_sync_right_behind_execute_of_a_copy() -> None:
    """libpq sends Sync behind Execute and again behind CopyDone; upstream answers the second alone."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    answers(replies, "G")
    assert replies.copying_in
    replies.copy_end()
    replies.sync()
    after = Owed(Request.PARSE)
    replies.ask(after)
    assert answers(replies, "CZ") == [Request.EXECUTE, Request.SYNC]
    assert replies.answer(ord("1")) is after


def test_copy_fails_in_its_data_behind_an_ignored_sync() -> None:
    """The first Sync was read as part of the COPY; the second ends the skipping, and only it is answered."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    answers(replies, "G")
    replies.copy_end()
    replies.sync()
    after = Owed(Request.PARSE)
    replies.ask(after)
    answers(replies, "EZ")
    assert replies.answer(ord("1")) is after


def test_copy_fails_before_it_reads_anything() -> None:
    """A trigger before the statement fails the COPY: both Syncs are read, and both are answered."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    answers(replies, "G")
    replies.copy_end()
    replies.sync()
    after = Owed(Request.PARSE)
    replies.ask(after)
    answers(replies, "EZZ")
    assert replies.answer(ord("1")) is after


def test_copy_is_refused_before_its_data_is_asked_for() -> None:
    """No CopyInResponse ever comes: the Sync behind Execute is answered for certain."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    assert answers(replies, "EZ") == [Request.EXECUTE, Request.SYNC]
    assert not replies.copying_in
    replies.copy_end()  # upstream ignores it
    assert replies.quiet
    assert replies.head is None


def test_no_request_may_follow_a_failed_copy_before_sync() -> None:
    """Whether upstream skips it cannot be seen, so that its replies could be taken for another's."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    answers(replies, "GE")
    with pytest.raises(MalformedMessage):
        replies.ask(Owed(Request.PARSE))


def test_a_request_may_follow_a_failed_copy_whose_sync_was_answered() -> None:
    """Where the first Sync is answered after all, nothing is left open."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    answers(replies, "GEZ")
    after = Owed(Request.PARSE)
    replies.ask(after)
    assert replies.answer(ord("1")) is after


def test_doubt_about_a_sync_ends_with_the_next_certain_reply() -> None:
    """Of two Syncs one may stay unanswered; a Sync behind another request is certain again."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC)
    answers(replies, "G")
    replies.copy_end()
    replies.sync()
    replies.ask(Owed(Request.EXECUTE))
    replies.sync()
    answers(replies, "EZC")
    assert not replies.quiet
    assert answers(replies, "EZ") == [Request.SYNC, Request.SYNC]  # a deferred constraint at the last Sync


def test_a_pipelined_message_behind_execute_makes_a_copy_fail() -> None:
    """A client that did not expect a COPY has sent its next request already; no data will come."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC, Request.PARSE)
    answers(replies, "G")
    assert not replies.copying_in


def test_syncs_in_a_copy_take_no_room() -> None:
    """However many are ignored or in doubt, they are one entry, and each answer finds the next."""
    replies, _ = asked(Request.EXECUTE, *[Request.SYNC] * 1000)
    answers(replies, "G")
    for _ in range(1000):
        replies.sync()
    assert len(list(replies.newest_first())) == 2
    replies.copy_end()
    for _ in range(1000):
        replies.sync()
    after = Owed(Request.PARSE)
    replies.ask(after)
    assert set(answers(replies, "E" + "Z" * 1000)) == {Request.EXECUTE, Request.MAYBE_SYNC}
    assert replies.answer(ord("1")) is after


def test_so_many_and_no_more_may_be_under_way() -> None:
    """Then no more is read, but for what ends a COPY; one answer less makes room."""
    replies, _ = asked(Request.EXECUTE, *[Request.BIND] * (UNDER_WAY - 1))
    assert replies.many
    answers(replies, "C")
    assert not replies.many
    copying, _ = asked(Request.EXECUTE)
    answers(copying, "G")
    for _ in range(UNDER_WAY):
        copying.ask(Owed(Request.BIND))
    assert not copying.many


def test_copy_out() -> None:
    """Data that comes is the Execute's, or the query's, up to its CommandComplete."""
    replies, _ = asked(Request.EXECUTE, Request.SYNC, Request.QUERY)
    whose = answers(replies, "HddcCZHdcCZ")
    assert whose == [Request.EXECUTE] * 5 + [Request.SYNC] + [Request.QUERY] * 5


# --------------------------------------------------------------- a small PostgreSQL, and any pipeline


class SmallPostgres:
    """Reads messages as PostgreSQL's main loop does and answers each, with the number of what it answers.

    Follows src/backend/tcop/postgres.c (ignore_till_sync) and copyfromparse.c (CopyGetData).
    """

    def __init__(self) -> None:
        self.skipping = False
        self.copying: tuple[int, bool] | None = None  # the message that copies, and whether it is simple
        self.said: list[tuple[str, int]] = []

    def read(self, number: int, kind: str) -> None:
        if self.copying is not None:
            self._read_copy(number, kind)
        elif kind == "S":
            self.skipping = False
            self._say("Z", number)
        elif not self.skipping:
            self._obey(number, kind)

    def _obey(self, number: int, kind: str) -> None:
        simple = kind in ("query", "query copy", "query fails", "query copy fails")
        replies = {
            "parse": "1",
            "bind": "2",
            "describe statement": "tT",
            "describe portal": "n",
            "execute": "DDC",
            "execute suspended": "Ds",
            "execute copy": "G",
            "execute copy fails": "GE",
            "execute copy out": "HddcC",
            "close": "3",
            "query": "TDCCI",
            "query copy": "G",
            "query copy fails": "GE",
            "query fails": "TDE",
            "fails": "E",
            "d": "",
            "c": "",
            "f": "",
        }[kind]
        for tag in replies:
            self._say(tag, number)
        if replies == "G":
            self.copying = (number, simple)
        elif simple:
            self._say("Z", number)
        elif "E" in replies:
            self.skipping = True

    def _read_copy(self, number: int, kind: str) -> None:
        assert self.copying is not None
        copy, simple = self.copying
        if kind in ("S", "d"):
            return
        self.copying = None
        self._say("C" if kind == "c" else "E", copy)
        if simple:
            self._say("Z", copy)
        elif kind != "c":
            self.skipping = True

    def _say(self, tag: str, number: int) -> None:
        self.said.append((tag, number))


REQUESTS = {
    "parse": Request.PARSE,
    "bind": Request.BIND,
    "describe statement": Request.DESCRIBE_STATEMENT,
    "describe portal": Request.DESCRIBE_PORTAL,
    "execute": Request.EXECUTE,
    "execute suspended": Request.EXECUTE,
    "execute copy": Request.EXECUTE,
    "execute copy fails": Request.EXECUTE,
    "execute copy out": Request.EXECUTE,
    "close": Request.CLOSE,
    "query": Request.QUERY,
    "query copy": Request.QUERY,
    "query copy fails": Request.QUERY,
    "query fails": Request.QUERY,
    "fails": Request.EXECUTE,
}

COPYING = ["d", "S", "c", "f"]
MESSAGES = [*REQUESTS, "S", "S", "d", "c"]


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(0, 2**32))
def test_any_pipeline_is_attributed_as_postgresql_answers_it(choices: list[int], seed: int) -> None:
    """Whatever is pipelined, and however replies and requests interleave, each reply finds its request.

    The client is one that keeps to the protocol: while it knows that it copies it sends only what belongs
    to that, and data only then.
    """
    chance = random.Random(seed)
    upstream, replies = SmallPostgres(), Replies()
    requests: dict[int, Owed] = {}
    heard = 0

    def hear(count: int) -> None:
        nonlocal heard
        for tag, number in upstream.said[heard : heard + count]:
            owed = replies.answer(ord(tag))
            whose = SYNCS if owed.request in (Request.SYNC, Request.MAYBE_SYNC) else owed
            assert whose is requests[number], (tag, number)
        heard = min(heard + count, len(upstream.said))

    for number, choice in enumerate(choices):
        if replies.copying_in:
            kind = COPYING[choice % len(COPYING)]
        else:
            if any(owed.request in (Request.EXECUTE, Request.QUERY) for owed in replies.newest_first()):
                hear(len(upstream.said))  # the relay looks at no COPY data before it knows whether it is some
            kind = COPYING[choice % 3] if replies.copying_in else MESSAGES[choice % len(MESSAGES)]
        requests[number] = SYNCS
        if kind == "S":
            replies.sync()
        elif kind in ("c", "f"):
            replies.copy_end()
        elif kind != "d":
            requests[number] = Owed(REQUESTS[kind])
            try:
                replies.ask(requests[number])
            except MalformedMessage:
                return  # the session ends here
        upstream.read(number, kind)
        hear(chance.randrange(4))
    hear(len(upstream.said))
    if upstream.copying is None and not upstream.skipping:
        assert replies.quiet


SYNCS = Owed(Request.SYNC)
