"""What PostgreSQL calls an output column that has no alias (parse_target.c: FigureColname). Called by
`queries.py`."""

from strongroom.sql.parse import Node, strings, unpack

_VALUE_FUNCTIONS = {
    "SVFOP_CURRENT_DATE": "current_date", "SVFOP_CURRENT_TIME": "current_time", "SVFOP_CURRENT_TIME_N":
    "current_time", "SVFOP_CURRENT_TIMESTAMP": "current_timestamp", "SVFOP_CURRENT_TIMESTAMP_N":
    "current_timestamp", "SVFOP_LOCALTIME": "localtime", "SVFOP_LOCALTIME_N": "localtime",
    "SVFOP_LOCALTIMESTAMP": "localtimestamp", "SVFOP_LOCALTIMESTAMP_N": "localtimestamp",
    "SVFOP_CURRENT_ROLE": "current_role", "SVFOP_CURRENT_USER": "current_user", "SVFOP_USER": "user",
    "SVFOP_SESSION_USER": "session_user", "SVFOP_CURRENT_CATALOG": "current_catalog",
    "SVFOP_CURRENT_SCHEMA": "current_schema",
}  # fmt: skip
_FIXED = {
    "CoalesceExpr": "coalesce", "A_ArrayExpr": "array", "RowExpr": "row", "GroupingFunc": "grouping",
    "MergeSupportFunc": "merge_action", "XmlSerialize": "xmlserialize", "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar", "JsonSerializeExpr": "json_serialize",
    "JsonObjectConstructor": "json_object", "JsonArrayConstructor": "json_array",
}  # fmt: skip


def output_name(node: Node) -> str:
    """The name of a column whose expression is `node`."""
    return _figure(node)[0] or "?column?"


def _figure(node: Node) -> tuple[str, int]:
    """The name and how sure it is: 0 none, 1 by default, 2 from a column or function."""
    tag, body = unpack(node)
    if tag in {"ColumnRef", "A_Indirection"}:
        parts = body["fields"] if tag == "ColumnRef" else body["indirection"]
        names = [part["String"]["sval"] for part in parts if "String" in part]
        if names:
            return names[-1], 2
        return _figure(body["arg"]) if tag == "A_Indirection" else ("", 0)
    if tag == "FuncCall":
        return strings(body["funcname"])[-1], 2
    if tag == "A_Expr":
        return ("nullif", 2) if body.get("kind") == "AEXPR_NULLIF" else ("", 0)
    if tag == "TypeCast":
        name, strength = _figure(body["arg"])
        return (name, strength) if strength > 1 else (strings(body["typeName"]["names"])[-1], 1)
    if tag == "CollateClause":
        return _figure(body["arg"])
    if tag == "CaseExpr":
        name, strength = _figure(body["defresult"]) if "defresult" in body else ("", 0)
        return (name, strength) if strength > 1 else ("case", 1)
    if tag == "SubLink":
        return _sublink(body)
    if tag == "MinMaxExpr":
        return ("least" if body.get("op") == "IS_LEAST" else "greatest"), 2
    if tag == "SQLValueFunction":
        return _VALUE_FUNCTIONS.get(body.get("op", ""), ""), 2
    return (_FIXED[tag], 2) if tag in _FIXED else ("", 0)


def _sublink(body: Node) -> tuple[str, int]:
    kind = body["subLinkType"]
    if kind in {"EXISTS_SUBLINK", "ARRAY_SUBLINK"}:
        return ("exists" if kind == "EXISTS_SUBLINK" else "array"), 2
    if kind != "EXPR_SUBLINK" or "SelectStmt" not in body["subselect"]:
        return "", 0
    select = body["subselect"]["SelectStmt"]
    while "larg" in select:
        select = select["larg"]
    if "targetList" not in select:
        return "column1", 2
    target = select["targetList"][0]["ResTarget"]
    return (target["name"], 2) if "name" in target else _figure(target["val"])
