"""Accesses and resources in the words of the configuration, as the commands of ``policy`` print them."""

from strongroom.policy.model import Access, Action, Resource
from strongroom.policy.pattern import exact
from strongroom.policy.reach import ANY_NAME

_WORDS = {Action.MASK: "show"}


def access_words(access: Access) -> str:
    """``show public.customers.email``."""
    return f"{_WORDS.get(access.action, access.action.value)} {resource_words(access.resource)}"


def resource_words(resource: Resource) -> str:
    """The full name, or the database's, and classes that it was asked with."""
    names = (resource.schema, resource.table, resource.column, resource.function)
    parts = (str(exact(one)) for one in names if one is not None)
    name = ".".join(ANY_NAME if one == f'"{ANY_NAME}"' else one for one in parts) or resource.database
    classes = ", ".join(sorted(resource.classes))
    return f"{name} (of class {classes})" if classes else name
