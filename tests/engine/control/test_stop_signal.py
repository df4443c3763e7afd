"""The wish to stop, which a signal may tell at any moment."""

from __future__ import annotations

import threading

from engine.control.stop_signal import STOPPED, Stop, reason


def test_a_signal_may_come_while_its_thread_is_within_the_event() -> None:
    """A handler runs in the main thread, wherever that is: here it holds the lock of the event."""
    stop = Stop()

    def interrupted() -> None:
        with stop._cond:
            stop.set()

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert stop.is_set()


def test_it_is_heard_by_whoever_waits_and_keeps_its_first_reason() -> None:
    stop = Stop()
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(stop.wait(30)))
    waiting.start()
    stop.ask("window-closed")
    stop.ask(STOPPED)
    waiting.join()
    assert heard == [True]
    assert reason(stop) == "window-closed"
