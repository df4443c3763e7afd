"""What model.protocols.Source promises, asked of sources of calendars, contacts and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from record_benches import GOODS, Goods, RecordBench, record_bench

from mappings.registry import ITEM_FORMS
from model.errors import CursorLost, MigrationError
from model.protocols import Container, Failed, Native, Page, Ref, Source, key_of


@pytest.fixture(params=["exchange", "microsoft"])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=GOODS, ids=[goods.kind.value for goods in GOODS])
def bench(
    request: pytest.FixtureRequest, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecordBench]:
    goods: Goods = request.param
    with record_bench(system, goods, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def source(bench: RecordBench) -> Iterator[Source]:
    opened = bench.open()
    yield opened
    opened.close()


def own(bench: RecordBench, source: Source) -> Container:
    """The default one of its kind."""
    found = [one for one in source.containers() if one.kind is bench.goods.kind]
    (default,) = [one for one in found if one.role == bench.goods.role]
    assert default.omit is None
    return default


def refs(pages: list[Page]) -> dict[str, Ref]:
    return {ref.id: ref for page in pages for ref in page.refs}


def listed(bench: RecordBench, source: Source, cursor: str | None = None) -> list[Page]:
    return list(source.changes(own(bench, source), cursor))


def gone(first: list[Page], second: list[Page]) -> set[str]:
    """What a listing says, or a full one leaves out."""
    found = {ref.id for ref in refs(second).values() if ref.deleted}
    if any(page.full for page in second):
        found |= refs(first).keys() - refs(second).keys()
    return found


def fetched(
    bench: RecordBench, source: Source, wanted: list[Ref], *, bodies: bool = True
) -> dict[bytes, Native | Failed]:
    results = list(source.fetch(own(bench, source), wanted, bodies=bodies))
    paired = {r.key if isinstance(r, Failed) else key_of(r.ref.id): r for r in results}
    assert len(results) == len(paired) == len(wanted), "one result for each ref"
    return paired


def test_everything_is_named_by_a_first_listing(bench: RecordBench, source: Source) -> None:
    for number in range(9):
        bench.put(number)
    pages = listed(bench, source)
    assert len(pages) > 1
    assert len(refs(pages)) == 9
    assert all(page.full for page in pages)
    assert all(page.cursor for page in pages)


def test_an_empty_container_gives_a_cursor_that_names_nothing(bench: RecordBench, source: Source) -> None:
    first = listed(bench, source)
    assert refs(first) == {}
    second = listed(bench, source, first[-1].cursor)
    assert refs(second) == {}


def test_after_a_cursor_what_is_new_changed_or_gone_is_known(bench: RecordBench, source: Source) -> None:
    kept, edited, deleted = (bench.put(number) for number in range(3))
    first = listed(bench, source)
    before = refs(first)
    bench.edit(edited)
    bench.delete(deleted)
    bench.put(3)
    second = listed(bench, source, first[-1].cursor)
    after = {id_: ref for id_, ref in refs(second).items() if not ref.deleted}
    changed = {id_ for id_, ref in after.items() if id_ in before and before[id_] != ref}
    assert len(changed) == 1
    assert len(after.keys() - before.keys()) == 1
    assert len(gone(first, second)) == 1
    assert not gone(first, second) & changed
    assert kept.record is not None


def test_a_cursor_after_everything_tells_no_change(bench: RecordBench, source: Source) -> None:
    for number in range(6):
        bench.put(number)
    first = listed(bench, source)
    second = listed(bench, source, first[-1].cursor)
    assert all(refs(first).get(id_) == ref for id_, ref in refs(second).items())
    assert gone(first, second) == set()


def test_a_cut_listing_goes_on_from_any_page(bench: RecordBench, source: Source) -> None:
    for number in range(9):
        bench.put(number)
    every = refs(listed(bench, source)).keys()
    first = next(iter(source.changes(own(bench, source), None)))
    again = bench.open()
    rest = listed(bench, again, first.cursor)
    assert {ref.id for ref in first.refs} | refs(rest).keys() == every
    again.close()


def test_each_record_maps_and_can_be_read_again(bench: RecordBench, source: Source) -> None:
    for number in range(25):
        bench.put(number)
    for result in fetched(bench, source, list(refs(listed(bench, source)).values())).values():
        assert isinstance(result, Native)
        assert result.body is not None
        with result.body() as one, result.body() as other:
            assert one.read() == other.read()
        assert ITEM_FORMS[bench.goods.kind].skip(result) is None


def test_fetch_without_bodies_gives_the_same_class(bench: RecordBench, source: Source) -> None:
    bench.put(1)
    wanted = list(refs(listed(bench, source)).values())
    (bare,) = fetched(bench, source, wanted, bodies=False).values()
    (whole,) = fetched(bench, source, wanted).values()
    assert isinstance(bare, Native)
    assert isinstance(whole, Native)
    assert (bare.body, bare.format, bare.ref) == (None, whole.format, whole.ref)
    assert bare.properties == whole.properties


def test_fetch_tells_the_version_it_read(bench: RecordBench, source: Source) -> None:
    token = bench.put(1)
    (old,) = refs(listed(bench, source)).values()
    bench.edit(token)
    (new,) = refs(listed(bench, source)).values()
    (result,) = fetched(bench, source, [old]).values()
    assert isinstance(result, Native)
    assert old.version != result.ref.version == new.version


def test_what_was_deleted_or_moved_away_fails_alone(bench: RecordBench, source: Source) -> None:
    tokens = [bench.put(number) for number in range(4)]
    wanted = list(refs(listed(bench, source)).values())
    bench.delete(tokens[1])
    bench.move(tokens[2])
    failed = [one for one in fetched(bench, source, wanted).values() if isinstance(one, Failed)]
    assert [one.error.code for one in failed] == ["vanished", "vanished"]


def test_fetching_changes_nothing(bench: RecordBench, source: Source) -> None:
    bench.put(1)
    before = refs(listed(bench, source))
    fetched(bench, source, list(before.values()))
    assert refs(listed(bench, source)) == before


def test_a_cursor_of_another_life_is_lost_not_misread(bench: RecordBench, source: Source) -> None:
    bench.put(1)
    cursor = listed(bench, source)[-1].cursor
    bench.forget_states()
    try:
        pages = listed(bench, source, cursor)
    except CursorLost:
        return
    assert all(page.full for page in pages)
    assert refs(pages) == {}


def test_nothing_works_after_close(bench: RecordBench) -> None:
    source = bench.open()
    container = own(bench, source)
    source.close()
    source.close()
    with pytest.raises(MigrationError):
        list(source.changes(container, None))
