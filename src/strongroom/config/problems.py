"""What is wrong with a configuration, in words: file and line, key, what is wrong, what to write instead.

Pydantic's list of errors comes in, one ``InvalidConfiguration`` that names them all goes out. No value is
repeated, since it may have come from the environment.
"""

import difflib
import re
from collections.abc import Iterable
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from strongroom.config.model import Settings
from strongroom.config.source import KeyPath, Source, dotted
from strongroom.errors import InvalidConfiguration

MAX_PROBLEMS = 20


def invalid_configuration(
    source: Source, error: ValidationError, model: type[BaseModel] = Settings
) -> InvalidConfiguration:
    """One error that lists every problem, each with its place; ``model`` is what the file was read as."""
    errors = [one for one in error.errors(include_url=False, include_input=False) if _is_written(source, one)]
    problems = [_problem(source, one, model) for one in errors[:MAX_PROBLEMS]]
    if len(errors) > MAX_PROBLEMS:
        problems.append(f"and {len(errors) - MAX_PROBLEMS} more")
    return InvalidConfiguration(
        "\n".join(problems), hint="docs/guides/configuration.md lists every key with its meaning and default."
    )


def _is_written(source: Source, error: ErrorDetails) -> bool:
    """False for a limit that a database inherited: it is reported where it is written."""
    return error["type"] == "missing" or _user_path(error["loc"]) in source.lines


def _problem(source: Source, error: ErrorDetails, model: type[BaseModel]) -> str:
    path = _user_path(error["loc"])
    wrong, instead = _words(error, path, model)
    where = f"{source.place(path)}: " + (f"{dotted(path)}: " if path else "")
    return where + wrong + (f"; {instead}" if instead else "")


def _user_path(loc: Iterable[str | int]) -> KeyPath:
    """Pydantic's path without what it adds for the keys of mappings."""
    return tuple(part for part in loc if part != "[key]")


def _words(error: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(path, model)
        case "missing":
            return "is missing", ""
        case "strongroom":
            return error["msg"], str(error.get("ctx", {}).get("instead", ""))
        case _:
            message = re.sub(r"^(Input|Value|Mapping|List) should", "should", error["msg"])
            return message[:1].lower() + message[1:], ""


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    fields = _model_at(path[:-1], model).model_fields
    known = sorted(field.alias or name for name, field in fields.items())
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    if close:
        return "is not a key that Strongroom knows", f"did you mean {close[0]}?"
    return "is not a key that Strongroom knows", "known here: " + ", ".join(known)


def _model_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """The model whose keys stand under ``path``."""
    annotation: Any = model
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            annotation = annotation.model_fields[str(part)].annotation
        else:
            annotation = get_args(annotation)[-1]
        model = annotation = _inner_model(annotation) or annotation
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model in ``Model``, ``Model | None`` or ``Annotated[Model, ...]``; not the one in a mapping."""
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return next(filter(None, map(_inner_model, get_args(annotation))), None)
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return None
