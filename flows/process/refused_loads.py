"""Keep what lies in Prefect's API from becoming code or files in a process of ours.

The data of a state may name a result and how to read it: a block, a file there, a serializer such as pickle.
A parameter may name a block, a deployment steps and an entry point, the server a default place of results.
Prefect's client loads all of these when it is asked for a run's result, and at other moments. Kogge keeps no
results, reads secrets as text, and knows its flows by name: it needs none of that.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any, NoReturn

REFUSED = (
    ("prefect.blocks.core", "Block._from_block_document"),
    ("prefect.blocks.core", "Block.load"),
    ("prefect.blocks.core", "Block.aload"),
    ("prefect.blocks.core", "Block.load_from_ref"),
    ("prefect.blocks.core", "Block.aload_from_ref"),
    ("prefect.results", "ResultStore._from_metadata"),
    ("prefect.results", "ResultStore.read"),
    ("prefect.results", "ResultStore.aread"),
    ("prefect.results", "ResultStore.exists"),
    ("prefect.results", "ResultStore.aexists"),
    ("prefect.results", "ResultRecord.deserialize"),
    ("prefect.results", "ResultRecord.deserialize_from_result_and_metadata"),
    ("prefect.serializers", "PickleSerializer.loads"),
    ("prefect.serializers", "JSONSerializer.loads"),
    ("prefect.serializers", "CompressedSerializer.loads"),
    ("prefect.deployments.steps.core", "run_step"),
    ("prefect.deployments.steps.core", "run_steps"),
    ("prefect.flows", "load_flow_from_flow_run"),
    ("prefect.flows", "load_flow_from_entrypoint"),
    ("prefect.flows", "load_function_and_convert_to_flow"),
    ("prefect.utilities.importtools", "import_object"),
    ("prefect.utilities.importtools", "load_script_as_module"),
    ("cloudpickle", "load"),
    ("cloudpickle", "loads"),
)
"""What is never called in a process of ours (Prefect 3.9.1), by module and name."""


class LoadRefusedError(RuntimeError):
    """Report that Prefect's client was about to load what its API names."""

    def __init__(self) -> None:
        super().__init__("Kogge loads nothing that Prefect's API names")


def refuse_loads() -> None:
    """Make Prefect's client refuse to load a result, a block, a step or an entry point.

    Each of its ways to do so raises LoadRefusedError from now on, for as long as this process lives. Call it
    before anything is read from Prefect's API. Idempotent.

    Raises:
        AttributeError: this version of Prefect has one of these ways under another name.
    """
    for module, name in REFUSED:
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        original = getattr(owner, last)
        setattr(owner, last, _refused)
        if not path:
            _refuse_copies(last, original)
    _keep_no_results()


def refuse_unpickling() -> None:
    """Refuse to unpickle any object in this process from now on.

    It cannot be taken back, so it is for processes of runs and workers alone.
    """
    sys.addaudithook(_no_unpickling)


def _refuse_copies(name: str, original: object) -> None:
    """Replace a function in modules that imported it by its name."""
    for module in [*sys.modules.values()]:
        of_prefect = isinstance(module, ModuleType) and module.__name__.startswith("prefect")
        if of_prefect and module.__dict__.get(name) is original:
            setattr(module, name, _refused)


def _keep_no_results() -> None:
    """Let Prefect store no results.

    It would store the exception that ended a flow, in the place that its server names.
    """
    from prefect import results, serializers

    store: Any = results.ResultStore
    store.persist_result_record, store.apersist_result_record = _nothing, _nothing_later
    found: Any = results
    found._read_server_default_result_storage_block_id = _nothing
    found._aread_server_default_result_storage_block_id = _nothing_later
    # A state's data names the module that reads it, which is imported as soon as the state is looked at.
    read: Any = serializers
    read.validate_picklelib = read.validate_compressionlib = _as_it_is


def _refused(*_given: object, **_named: object) -> NoReturn:
    raise LoadRefusedError


def _nothing(*_given: object, **_named: object) -> None:
    """Do nothing."""


async def _nothing_later(*_given: object, **_named: object) -> None:
    """Do nothing."""


def _as_it_is(name: str) -> str:
    return name


def _no_unpickling(event: str, _given: tuple[object, ...]) -> None:
    if event == "pickle.find_class":  # an unpickler looks up what it was told to
        raise LoadRefusedError
