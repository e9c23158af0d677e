"""What people and scripts do with psql, on the shop's protected tables; each step is one run of it."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.corpus.steps import Results

STEPS: Mapping[str, str] = {
    "select": "SELECT id, email, iban, born, tags FROM customers ORDER BY id;",
    "expanded": "\\x on\nSELECT * FROM customers WHERE id = 1;",
    "where": "SELECT name FROM customers WHERE email = 'ada.xq7mark@example.org';",
    "variable": "\\set mail bob.xq7mark@example.org\nSELECT name FROM customers WHERE email = :'mail';",
    "several": "SELECT 1 \\; SELECT email FROM customers WHERE id = 1;",
    "describe_result": "SELECT id, email, phone, born, credit FROM customers \\gdesc",
    "fetch_count": "\\set FETCH_COUNT 2\nSELECT id, email FROM customers ORDER BY id;",
    "crosstab": "SELECT city, name, email FROM customers WHERE id IN (1, 2) ORDER BY id \\crosstabview",
    "execute_rows": "SELECT format('SELECT email FROM customers WHERE id = %s', id) FROM contacts ORDER BY id \\gexec",
    "insert": "INSERT INTO customers (id, email, born) VALUES (50, 'psql.xq7mark', '1847-11-11') RETURNING email, born;",
    "transaction": "BEGIN;\nUPDATE customers SET iban = 'x xq7mark' WHERE id = 1;\nROLLBACK;\nSELECT iban FROM customers WHERE id = 1;",
    "copy_out": "\\copy customers (id, email, born) TO STDOUT CSV HEADER",
    "copy_query_out": "\\copy (SELECT email, tags FROM customers ORDER BY id) TO STDOUT",
    "copy_in": '\\copy customers (id, email, iban) FROM STDIN CSV\n60,copied.xq7mark,\n61,"two, xq7mark",iban xq7mark\n\\.\nSELECT id, email, iban FROM customers WHERE id >= 60 ORDER BY id;',
    "copy_whole_table": "\\copy orders TO STDOUT",
    "duplicate": "INSERT INTO customers (id, email) VALUES (70, 'ada.xq7mark@example.org');",
    "error_in_transaction": "BEGIN;\nINSERT INTO customers (id, email) VALUES (1, 'x.xq7mark');\nCOMMIT;",
    "describe_plain_table": "\\d contacts",
    "list_tables": "\\dt",
    "list_views": "\\dv",
    "describe_protected_names": "\\dt customers\n\\di customers_pkey",
    "gset": "SELECT email FROM customers WHERE id = 2 \\gset\nSELECT id, name FROM customers WHERE email = :'email';",
    "explain": "EXPLAIN (COSTS OFF) SELECT count(*) FROM contacts;",
    "list_functions": "\\df shout",
    "list_indexes": "\\di customers_*",
    "show_view": "\\sv people",
    "describe_partitions": "\\dt events*",
    "timing_off": "\\timing off\nSELECT email FROM customers WHERE id = 1;",
    "html": "\\pset format html\nSELECT email, phone FROM customers WHERE id = 1;",
    "csv": "\\pset format csv\nSELECT email, phone, tags FROM customers ORDER BY id;",
    "conditional": "SELECT count(*) > 0 AS there FROM customers WHERE email = 'ada.xq7mark@example.org' \\gset\n\\if :there\nSELECT 'yes';\n\\endif",
    "copy_header_in": '\\copy orders (id, email, card, total) FROM STDIN CSV HEADER\nid,email,card,total\n700,ada.xq7mark@example.org,"c, xq7mark",5\n701,,,6\n\\.\nSELECT email, card FROM orders WHERE id >= 700 ORDER BY id;',
    "copy_where": "\\copy events FROM STDIN WHERE kind = 'kept'\n30\tkept\tk.xq7mark\n31\tlost\tl.xq7mark\n\\.\nSELECT email FROM events WHERE id >= 30 AND id < 50;",
    "view_changed": "UPDATE people SET email = 'view.xq7mark' WHERE id = 3 RETURNING email;",
    "upsert": "INSERT INTO customers (email, iban) VALUES ('ada.xq7mark@example.org', 'psql xq7mark') ON CONFLICT (email) DO UPDATE SET iban = EXCLUDED.iban RETURNING id, iban;",
    "begin_rollback_to": "BEGIN;\nSAVEPOINT s;\nDELETE FROM orders WHERE email = 'bob.xq7mark@example.org';\nROLLBACK TO s;\nSELECT count(*) FROM orders;\nROLLBACK;",
    "order_by_value": "SELECT email FROM customers ORDER BY email;",
    "refused_in_transaction": "BEGIN;\nINSERT INTO contacts (id, name) VALUES (80, 'kept?');\nSELECT max(email) FROM customers WHERE email > '';\nCOMMIT;",
    "nothing_kept": "SELECT count(*) FROM contacts WHERE id = 80 AND false;",
}
REFUSED = {"order_by_value": "order-refused", "refused_in_transaction": "function-refused"}
_SQLSTATE = re.compile(r"(?:ERROR|FATAL): +([0-9A-Z]{5}): (?:strongroom: .*? \[([a-z-]+)\])?", re.DOTALL)


def scenario(program: Path, parameters: dict[str, str]) -> Results:
    """Every step."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    names |= {"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    environment = {"PATH": os.environ["PATH"]} | {names[key]: value for key, value in parameters.items()}
    return {name: _run(program, environment, text) for name, text in STEPS.items()}


def _run(program: Path, environment: dict[str, str], text: str) -> object:
    run = subprocess.run(
        [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-P", "pager=off"],
        env=environment,
        input=text + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if run.returncode == 0:
        return [run.stdout, run.stderr]
    found = _SQLSTATE.search(run.stderr)
    assert found, run.stderr
    return {"error": found[1]} | ({"refused": found[2]} if found[2] else {"stdout": run.stdout})
