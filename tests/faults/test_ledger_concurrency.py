"""Writers at once, and a writer killed in the middle: no event is lost, none is written twice, the chain holds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reconlib.ledger import open_ledger

WRITER = """
import sys
from reconlib.ledger import Event, open_ledger

url, name, times, shared = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with open_ledger(url) as ledger:
    print("open", flush=True)
    for number in range(times):
        key = f"key {number}" if number < shared else None
        ledger.append(Event("harbor", "2026-10", "run_finished", f"{name} {number}", name, "2026-11-03T06:00:00Z", key=key))
        print(number, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


def writer(url, name, times, shared=0):
    return subprocess.Popen([sys.executable, "-c", WRITER, url, name, str(times), str(shared)], stdout=subprocess.PIPE, text=True)


def test_two_processes_lose_nothing_and_open_a_new_ledger_together(url):
    both = [writer(url, name, 40, shared=10) for name in ("ana", "bo")]
    for process in both:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with open_ledger(url) as ledger:
        events = ledger.events()
        assert ledger.verify() == []
    assert [event.seq for event in events] == list(range(1, 71))  # 2 × 30 of their own, 10 shared keys once
    for name in ("ana", "bo"):
        own = [int(event.subject.split()[1]) for event in events if event.who == name and event.key is None]
        assert own == list(range(10, 40))


def test_a_killed_writer_leaves_what_it_was_told_is_written(url):
    process = writer(url, "ana", 100_000)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(20)]
    process.kill()
    told += [line for line in process.stdout.readlines() if line.endswith("\n")]  # communicate() would lose what is buffered already
    process.stdout.close()
    process.wait(timeout=60)
    with open_ledger(url) as ledger:
        assert ledger.verify() == []
        written = len(ledger.events())
        assert len(told) - 1 <= written <= len(told)  # the first line is "open"; one event may stand that it could not tell of
