"""What model.protocols.Source promises, asked of every source."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from benches import SourceBench

from mappings.mail.digest import canonical
from model.errors import Blocked, CursorLost, MigrationError
from model.protocols import Container, Failed, Native, Page, Ref, Source, key_of

WORK = ("Work",)
OF_BYTES = {"Sha256"}
"""Properties that only the bytes can tell."""


def mail(number: int, size: int = 300) -> bytes:
    head = (
        f"From: Anna <anna@example.org>\r\nTo: ben@example.org\r\nSubject: Number {number}\r\n"
        f"Date: Thu, 4 Mar 2021 05:06:07 +0000\r\nMessage-ID: <{number}@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
    ).encode()
    line = b"abcdefghijklmnopqrstuvwxyz0123456789\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


@pytest.fixture
def source(bench: SourceBench) -> Iterator[Source]:
    opened = bench.open()
    yield opened
    opened.close()


def work(source: Source) -> Container:
    return next(container for container in source.containers() if container.path == WORK)


def refs(pages: list[Page]) -> dict[str, Ref]:
    return {ref.id: ref for page in pages for ref in page.refs}


def fetched(source: Source, wanted: list[Ref], *, bodies: bool = True) -> dict[bytes, Native | Failed]:
    results = list(source.fetch(work(source), wanted, bodies=bodies))
    paired = {r.key if isinstance(r, Failed) else key_of(r.ref.id): r for r in results}
    assert len(results) == len(paired) == len(wanted), "one result for each ref"
    return paired


def digest(result: Native | Failed) -> bytes:
    assert isinstance(result, Native), result
    assert result.body is not None
    with result.body() as stream:
        return canonical(stream).digest


def test_identity_is_stable_and_names_the_system(bench: SourceBench, source: Source) -> None:
    again = bench.open()
    assert source.identity() == again.identity()
    assert source.identity().id
    again.close()


def test_containers_list_parents_before_children(bench: SourceBench, source: Source) -> None:
    bench.create(("Work", "Zulu"))
    bench.create(("Work", "Zulu", "Alpha"))
    paths = [container.path for container in source.containers()]
    assert [path for path in paths if path[0] == "Work"] == [
        WORK,
        ("Work", "Zulu"),
        ("Work", "Zulu", "Alpha"),
    ]
    ids = [container.id for container in source.containers()]
    assert len(set(ids)) == len(ids)


def test_container_ids_survive_another_session(bench: SourceBench, source: Source) -> None:
    again = bench.open()
    assert work(source).id == work(again).id
    again.close()


def test_no_cursor_enumerates_everything_as_full(bench: SourceBench, source: Source) -> None:
    for number in range(5):
        bench.deliver(WORK, mail(number))
    pages = list(source.changes(work(source), None))
    assert len(refs(pages)) == 5
    assert all(page.full for page in pages)
    assert not any(ref.deleted for ref in refs(pages).values())


def test_an_empty_container_still_gives_a_cursor(source: Source) -> None:
    pages = list(source.changes(work(source), None))
    assert refs(pages) == {}
    assert pages[-1].cursor


def test_a_cursor_after_everything_names_nothing_new(bench: SourceBench, source: Source) -> None:
    bench.deliver(WORK, mail(1))
    first = list(source.changes(work(source), None))
    second = list(source.changes(work(source), first[-1].cursor))
    known = refs(first)
    assert all(known.get(key) == ref for key, ref in refs(second).items())


def test_new_items_appear_after_a_cursor(bench: SourceBench, source: Source) -> None:
    bench.deliver(WORK, mail(1))
    first = list(source.changes(work(source), None))
    bench.deliver(WORK, mail(2))
    second = list(source.changes(work(source), first[-1].cursor))
    assert len(refs(second).keys() - refs(first).keys()) == 1


def test_a_change_of_flags_changes_the_version(bench: SourceBench, source: Source) -> None:
    token = bench.deliver(WORK, mail(1))
    first = list(source.changes(work(source), None))
    bench.read(token)
    second = list(source.changes(work(source), first[-1].cursor))
    (before,), (after,) = refs(first).values(), refs(second).values()
    assert before.id == after.id
    assert before.version != after.version


def test_a_deletion_is_told_or_missing_from_a_full_listing(bench: SourceBench, source: Source) -> None:
    token, _ = bench.deliver(WORK, mail(1)), bench.deliver(WORK, mail(2))
    first = list(source.changes(work(source), None))
    bench.delete(token)
    second = list(source.changes(work(source), first[-1].cursor))
    gone = {ref.id for ref in refs(second).values() if ref.deleted}
    if all(page.full for page in second):
        gone |= refs(first).keys() - refs(second).keys()
    assert len(gone) == 1
    assert gone < refs(first).keys()


def test_incremental_sources_list_only_what_changed(bench: SourceBench, source: Source) -> None:
    if not source.capabilities.incremental:
        pytest.skip("this server cannot list changes only")
    for number in range(3):
        bench.deliver(WORK, mail(number))
    first = list(source.changes(work(source), None))
    bench.deliver(WORK, mail(9))
    second = list(source.changes(work(source), first[-1].cursor))
    assert not any(page.full for page in second)
    assert len(refs(second)) == 1


def test_a_cut_enumeration_goes_on_from_any_page(bench: SourceBench) -> None:
    for number in range(9):
        bench.deliver(WORK, mail(number))
    source = bench.open()
    every = refs(list(source.changes(work(source), None)))
    pages = source.changes(work(source), None)
    first = next(pages)
    source.close()
    again = bench.open()
    rest = list(again.changes(work(again), first.cursor))
    assert {ref.id for ref in first.refs} | refs(rest).keys() == every.keys()
    again.close()


def test_fetch_gives_the_bytes_that_were_delivered(bench: SourceBench, source: Source) -> None:
    sent = [mail(number) for number in range(20)]
    for raw in sent:
        bench.deliver(WORK, raw)
    listed = list(refs(list(source.changes(work(source), None))).values())
    got = sorted(digest(result) for result in fetched(source, listed).values())
    assert got == sorted(canonical(io.BytesIO(raw)).digest for raw in sent)


def test_a_large_body_arrives_whole_and_can_be_opened_again(bench: SourceBench, source: Source) -> None:
    raw = mail(1, 2_500_000)
    bench.deliver(WORK, raw)
    listed = list(refs(list(source.changes(work(source), None))).values())
    (result,) = fetched(source, listed).values()
    assert digest(result) == digest(result) == canonical(io.BytesIO(raw)).digest


def test_fetch_without_bodies_gives_the_same_properties(bench: SourceBench, source: Source) -> None:
    bench.deliver(WORK, mail(1))
    listed = list(refs(list(source.changes(work(source), None))).values())
    (bare,) = fetched(source, listed, bodies=False).values()
    (whole,) = fetched(source, listed).values()
    assert isinstance(bare, Native)
    assert isinstance(whole, Native)
    assert bare.body is None
    assert bare.format == whole.format
    told = {name: value for name, value in whole.properties.items() if name not in OF_BYTES}
    assert bare.properties == told


def test_fetch_tells_the_version_it_read(bench: SourceBench, source: Source) -> None:
    token = bench.deliver(WORK, mail(1))
    (old,) = refs(list(source.changes(work(source), None))).values()
    bench.read(token)
    (new,) = refs(list(source.changes(work(source), None))).values()
    (result,) = fetched(source, [old]).values()
    assert isinstance(result, Native)
    assert result.ref.version == new.version


def test_fetching_changes_nothing(bench: SourceBench, source: Source) -> None:
    bench.deliver(WORK, mail(1))
    before = refs(list(source.changes(work(source), None)))
    fetched(source, list(before.values()))
    assert refs(list(source.changes(work(source), None))) == before


def test_a_vanished_item_fails_alone(bench: SourceBench, source: Source) -> None:
    tokens = [bench.deliver(WORK, mail(number)) for number in range(3)]
    listed = list(refs(list(source.changes(work(source), None))).values())
    bench.delete(tokens[1])
    results = list(fetched(source, listed).values())
    failed = [result for result in results if isinstance(result, Failed)]
    assert [failure.error.code for failure in failed] == ["vanished"]


def test_a_cursor_of_another_life_is_lost_not_misread(bench: SourceBench, source: Source) -> None:
    bench.deliver(WORK, mail(1))
    container = work(source)
    cursor = list(source.changes(container, None))[-1].cursor
    if not bench.recreate(WORK):
        pytest.skip("this bench cannot make a folder anew under its name")
    with pytest.raises((CursorLost, Blocked)):
        list(source.changes(container, cursor))


def test_nothing_works_after_close(bench: SourceBench) -> None:
    source = bench.open()
    container = work(source)
    source.close()
    source.close()
    with pytest.raises(MigrationError):
        list(source.changes(container, None))
