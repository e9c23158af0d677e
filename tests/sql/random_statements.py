"""Random statements over the tables of `twins.py`: mostly right, near protected columns, in the forms that
analysis knows.

A statement is text and the values of its parameters. Whether it may pass is not known here: what passes
must agree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

Column = tuple[str, str]
"""How a column is written, and its kind: a keyset, or int, text, num."""

POOLS = {
    "k1": ["ann@x", "bob@x", "cid@x", "dan@x", "eve@x"],
    "k2": ["DE1", "DE2", "FR3"],
    "k3": ["Ann", "Bob", "Cid"],
    "k4": ["2001-02-03", "2002-03-04"],
    "k5": ["1", "2", "3"],
    "int": ["1", "2", "3", "4", "7"],
    "text": ["red", "blue", "ann@x", "1"],
    "num": ["1.50", "2.00"],
}
TABLES = {
    "customers": {
        "id": "int", "email": "k1", "iban": "k2", "name": "k3", "note": "text", "born": "k4", "score": "k5",
    },
    "orders": {"id": "int", "customer": "int", "email": "k1", "total": "num", "label": "text"},
    "plain": {"id": "int", "txt": "text", "n": "int"},
    "events": {"id": "int", "email": "k1", "kind": "text"},
    "mails": {"id": "int", "mail": "k1", "note": "text", "score": "k5"},
    "bought": {"id": "int", "email": "k1", "who": "k3", "total": "num"},
}  # fmt: skip
CASTS = {
    "k1": "text",
    "k2": "varchar",
    "k3": "varchar",
    "k4": "date",
    "k5": "int",
    "int": "int",
    "text": "text",
}
EQUAL = ("k1", "k3", "k4", "k5")


@dataclass
class Writer:
    """Writes one random statement."""

    rng: Random
    values: list[str | None] = field(default_factory=list)
    ctes: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: int = 0

    def pick(self, *options: Callable[[], str]) -> str:
        """One of several ways."""
        return self.rng.choice(options)()

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred."""
        return self.rng.randrange(100) < percent

    def constant(self, kind: str) -> str:
        """A parameter or literal of a kind, with or without a cast."""
        value = self.rng.choice(POOLS[kind])
        cast = f"::{self.cast(kind)}" if kind in CASTS and self.chance(25) else ""
        if self.chance(3):
            return "NULL" + cast
        if self.chance(50):
            if self.values and self.chance(8):
                return f"${self.rng.randrange(len(self.values)) + 1}{cast}"
            self.values.append(None if self.chance(4) else value)
            return f"${len(self.values)}{cast}"
        if kind in {"int", "k5", "num"} and self.chance(60):
            return value + cast
        if kind == "k4" and self.chance(30):
            return f"date '{value}'"
        return f"'{value}'{cast}"

    def cast(self, kind: str) -> str:
        """A type to which a constant of a kind may be cast; some of them cut."""
        if CASTS[kind] in {"text", "varchar"} and self.chance(20):
            return f"varchar({self.rng.choice([2, 3, 30])})"
        return CASTS[kind]

    def array(self, kind: str) -> str:
        """An array of a kind."""
        if self.chance(50):
            self.values.append("{" + ",".join(self.rng.sample(POOLS[kind], 2)) + "}")
            return f"${len(self.values)}" + (f"::{self.cast(kind)}[]" if self.chance(50) else "")
        items = ", ".join(self.constant(kind) for _ in range(self.rng.randrange(1, 3)))
        return f"ARRAY[{items}]" + (f"::{self.cast(kind)}[]" if self.chance(40) else "")

    def columns(self, seen: list[Column], kind: str) -> list[str]:
        """The columns in sight of a kind."""
        return [text for text, its in seen if its == kind]

    def value(self, seen: list[Column], kind: str, depth: int) -> str:
        """An expression of a kind."""
        columns = self.columns(seen, kind)
        if columns and self.chance(65):
            text = self.rng.choice(columns)
            if self.chance(6) and kind in CASTS:
                return f"{text}::{'text' if self.chance(10) else CASTS[kind]}"
            return text
        if depth <= 0 or self.chance(55):
            return self.constant(kind)
        return self.pick(
            lambda: f"coalesce({self.value(seen, kind, depth - 1)}, {self.value(seen, kind, depth - 1)})",
            lambda: (
                f"CASE WHEN {self.test(seen, depth - 1)} THEN {self.value(seen, kind, depth - 1)} "
                f"ELSE {self.value(seen, kind, depth - 1)} END"
            ),
            lambda: f"nullif({self.value(seen, kind, depth - 1)}, {self.value(seen, kind, depth - 1)})",
            lambda: self.scalar(seen, kind, depth - 1),
        )

    def scalar(self, seen: list[Column], kind: str, depth: int) -> str:
        """A scalar subquery."""
        source, inner = self.table()
        columns = self.columns(inner, kind)
        if not columns:
            return self.constant(kind)
        column = self.rng.choice(columns)
        return (
            f"(SELECT {column} FROM {source} WHERE {self.test(inner + seen, depth)} ORDER BY 1 LIMIT 1)"
            if kind in {"int", "text", "num"}
            else f"(SELECT {column} FROM {source} WHERE {inner[0][0]} = {self.rng.randrange(1, 6)} LIMIT 1)"
        )

    def test(self, seen: list[Column], depth: int) -> str:
        """A condition."""
        kinds = [kind for _, kind in seen if kind in EQUAL or kind in {"int", "text"}] or ["int"]
        kind = self.rng.choice(kinds)
        left = self.value(seen, kind, depth - 1)
        ways: list[Callable[[], str]] = [
            lambda: f"{left} = {self.value(seen, kind, depth - 1)}",
            lambda: f"{left} <> {self.value(seen, kind, depth - 1)}",
            lambda: f"{left} IN ({self.constant(kind)}, {self.value(seen, kind, 0)})",
            lambda: f"{left} NOT IN ({self.constant(kind)})",
            lambda: f"{left} IS {self.rng.choice(['', 'NOT '])}NULL",
            lambda: f"{left} IS {self.rng.choice(['', 'NOT '])}DISTINCT FROM {self.value(seen, kind, 0)}",
            lambda: f"{left} = ANY ({self.array(kind)})",
            lambda: f"{left} <> ALL ({self.array(kind)})",
            lambda: (
                f"({left}, {self.value(seen, 'int', 0)})"
                f" = ({self.value(seen, kind, 0)}, {self.constant('int')})"
            ),
        ]
        if depth > 0:
            ways += [
                lambda: (
                    f"({self.test(seen, depth - 1)} {self.rng.choice(['AND', 'OR'])} "
                    f"{self.test(seen, depth - 1)})"
                ),
                lambda: f"NOT ({self.test(seen, depth - 1)})",
                lambda: f"{left} IN ({self.subquery(seen, kind, depth - 1)})",
                lambda: self.exists(seen, depth - 1),
            ]
        if self.chance(4):
            ways = [lambda: f"{left} < {self.value(seen, kind, 0)}", lambda: f"lower({left}) = 'ann@x'"]
        return self.rng.choice(ways)()

    def subquery(self, seen: list[Column], kind: str, depth: int) -> str:
        """A subquery of one column."""
        source, inner = self.table()
        columns = self.columns(inner, kind) or [self.constant(kind)]
        return f"SELECT {self.rng.choice(columns)} FROM {source} WHERE {self.test(inner + seen, depth)}"

    def exists(self, seen: list[Column], depth: int) -> str:
        source, inner = self.table()
        what = self.rng.choice(["*", "1"])
        return f"EXISTS (SELECT {what} FROM {source} WHERE {self.test(inner + seen, depth)})"

    def table(self) -> tuple[str, list[Column]]:
        """A table, view or WITH query under an alias."""
        self.aliases += 1
        alias = f"t{self.aliases}"
        tables = {**TABLES, **self.ctes}
        name = self.rng.choice([*tables, "customers", "orders", "customers", *self.ctes])
        qualified = f"public.{name}" if name in TABLES and self.chance(15) else name
        return f"{qualified} {self.rng.choice(['', 'AS '])}{alias}", [
            (f"{alias}.{column}", kind) for column, kind in tables[name].items()
        ]

    def source(self, depth: int) -> tuple[str, list[Column]]:
        """A FROM clause."""
        text, seen = self.item(depth)
        for _ in range(self.rng.choice([0, 0, 0, 1, 1, 2])):
            more, others = self.item(depth)
            shared = sorted({t.split(".")[-1] for t, _ in seen} & {t.split(".")[-1] for t, _ in others})
            kind = self.rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            if shared and self.chance(30) and text.count("JOIN") == 0:
                name = self.rng.choice(shared)
                text = f"{text} {kind} {more} USING ({name})"
            elif self.chance(15):
                text = f"{text}, {more}"
            else:
                pairs = [(a, b) for a, ka in seen for b, kb in others if ka == kb and ka != "k2"]
                one, two = self.rng.choice(pairs) if pairs else ("1", "1")
                text = f"{text} {kind} {more} ON {one} = {two}"
            seen = seen + others
        return text, seen

    def item(self, depth: int) -> tuple[str, list[Column]]:
        """One FROM item."""
        if depth > 0 and self.chance(15):
            query, kinds = self.query(depth - 1)
            self.aliases += 1
            alias = f"s{self.aliases}"
            names = [f"c{number}" for number in range(len(kinds))]
            return f"({query}) AS {alias}({', '.join(names)})", [
                (f"{alias}.{name}", kind) for name, kind in zip(names, kinds, strict=True)
            ]
        if self.chance(10):
            self.aliases += 1
            alias = f"v{self.aliases}"
            kind = self.rng.choice(EQUAL)
            rows = ", ".join(f"({number}, {self.constant(kind)})" for number in range(1, 3))
            return f"(VALUES {rows}) AS {alias}(n, e)", [(f"{alias}.n", "int"), (f"{alias}.e", kind)]
        if self.chance(6):
            self.aliases += 1
            alias = f"u{self.aliases}"
            self.values.append("{ann@x,bob@x}")
            return f"unnest(${len(self.values)}::text[]) AS {alias}(e)", [(f"{alias}.e", "k1")]
        return self.table()

    def query(self, depth: int) -> tuple[str, list[str]]:
        """A query and the kinds of its columns."""
        source, seen = self.source(depth)
        if self.chance(12):
            return self.grouped(source, seen, depth)
        kinds = [self.rng.choice([kind for _, kind in seen]) for _ in range(self.rng.randrange(1, 4))]
        columns = ", ".join(self.value(seen, kind, depth) for kind in kinds)
        distinct = "DISTINCT " if self.chance(8) else ""
        text = f"SELECT {distinct}{columns} FROM {source} WHERE {self.test(seen, depth)}"
        if self.chance(12):
            more, others = self.source(0)
            columns = ", ".join(self.value(others, kind, 0) for kind in kinds)
            union = self.rng.choice(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])
            text = f"{text} {union} SELECT {columns} FROM {more} WHERE {self.test(others, 0)}"
        return text, kinds

    def grouped(self, source: str, seen: list[Column], depth: int) -> tuple[str, list[str]]:
        column, kind = self.rng.choice(seen)
        other, _ = self.rng.choice(seen)
        count = self.rng.choice(["count(*)", f"count({other})", f"count(DISTINCT {other})"])
        by = self.rng.choice([column, "1"])
        text = f"SELECT {column}, {count} FROM {source} WHERE {self.test(seen, depth)} GROUP BY {by}"
        return text + (" HAVING count(*) > 1" if self.chance(30) else ""), [kind, "int"]

    def select(self) -> str:
        """A SELECT at the top."""
        with_text = ""
        if self.chance(20):
            query, kinds = self.query(1)
            names = [f"w{number}" for number in range(len(kinds))]
            with_text = f"WITH q ({', '.join(names)}) AS ({query}) "
            self.ctes["q"] = dict(zip(names, kinds, strict=True))
        if self.chance(25):
            source, seen = self.source(1)
            star = self.rng.choice(["*", seen[0][0].split(".")[0] + ".*"])
            return f"{with_text}SELECT {star} FROM {source} WHERE {self.test(seen, 1)}"
        if self.chance(8):
            source, seen = self.table()
            column, kind = self.rng.choice(seen)
            order = seen[0][0]
            return (
                (
                    f"{with_text}SELECT {order}, lag({column}) OVER (ORDER BY {order}), "
                    f"count(*) OVER (PARTITION BY {column}), "
                    f"array_agg({column}) OVER (ORDER BY {order}) FROM {source}"
                )
                if kind != "num"
                else f"{with_text}SELECT {column} FROM {source}"
            )
        return with_text + self.query(2)[0]

    def insert(self) -> str:
        """An INSERT."""
        table = self.rng.choice(["customers", "orders", "events", "plain"])
        columns = TABLES[table]
        chosen = ["id", *self.rng.sample([name for name in columns if name != "id"], 2)]
        if table == "events" and "kind" not in chosen:
            chosen[-1] = "kind"
        start = self.rng.randrange(50, 90)
        if self.chance(60):
            rows = ", ".join(
                "("
                + ", ".join([str(start + n), *(self.insertable(table, name) for name in chosen[1:])])
                + ")"
                for n in range(self.rng.randrange(1, 3))
            )
            body = f"VALUES {rows}"
        else:
            source, seen = self.source(1)
            values = ", ".join(self.value(seen, columns[name], 1) for name in chosen[1:])
            # No LIMIT: which row it keeps is the planner's choice. Several rows of one id fail in both twins.
            body = f"SELECT {start}, {values} FROM {source} WHERE {self.test(seen, 1)}"
        text = f"INSERT INTO {table} ({', '.join(chosen)}) {body}"
        if table == "customers" and self.chance(50):
            text += f" ON CONFLICT ({self.rng.choice(['email', 'id'])}) DO UPDATE SET " + self.rng.choice(
                [
                    "email = excluded.email",
                    f"name = {self.constant('k3')}",
                    "note = excluded.note",
                    "name = excluded.name",
                ]
            )
        return text + self.returning(table)

    def insertable(self, table: str, name: str) -> str:
        if table == "events" and name == "kind":
            return "'a'"
        if self.chance(6):
            return "DEFAULT"
        return self.value([], TABLES[table][name], 1)

    def returning(self, alias: str, *, joined: bool = False) -> str:
        """Of a join not every column: which of several matches it comes from is the planner's choice."""
        every = f" RETURNING {alias}.*" if joined else " RETURNING *"
        return (
            self.rng.choice(["", every, f" RETURNING {alias}.id", f" RETURNING {alias}.email"])
            if alias != "plain"
            else ""
        )

    def change(self) -> str:
        """An UPDATE or DELETE."""
        table = self.rng.choice(["customers", "orders", "events"])
        seen = [(f"{table}.{name}", kind) for name, kind in TABLES[table].items()]
        extra = ""
        if self.chance(30):
            text, others = self.item(0)
            extra = text
            seen = seen + others
        if self.chance(30):
            using = f" USING {extra}" if extra else ""
            return f"DELETE FROM {table}{using} WHERE {self.test(seen, 1)}" + self.returning(
                table, joined=bool(extra)
            )
        name = self.rng.choice([name for name in TABLES[table] if name not in {"id", "kind"}])
        source = f" FROM {extra}" if extra else ""
        target = f"{table}.id = {self.rng.randrange(1, 6)}" if extra or name == "email" else "true"
        return (
            f"UPDATE {table} SET {name} = {self.value(seen[: len(TABLES[table])], TABLES[table][name], 1)}"
            f"{source} WHERE {target} AND {self.test(seen, 1)}" + self.returning(table, joined=bool(extra))
        )

    def merge(self) -> str:
        """A MERGE."""
        rows = ", ".join(f"({n}::int, {self.constant('k1')})" for n in (1, 60))
        return (
            f"MERGE INTO orders o USING (VALUES {rows}) AS s(id, email) ON o.id = s.id "
            f"WHEN MATCHED THEN UPDATE SET email = {self.rng.choice(['s.email', self.constant('k1')])} "
            "WHEN NOT MATCHED THEN INSERT (id, email) VALUES (s.id, s.email)"
        )

    def statement(self) -> str:
        """Any statement."""
        roll = self.rng.randrange(100)
        if roll < 62:
            return self.select()
        if roll < 80:
            return self.insert()
        return self.change() if roll < 96 else self.merge()


def random_statement(seed: int) -> tuple[str, list[str | None]]:
    """The statement of a seed, with the values of its parameters."""
    writer = Writer(Random(seed))
    return writer.statement(), writer.values
