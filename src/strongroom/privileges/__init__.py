"""What a database itself lets its roles do, beside what the policy allows; and the SQL that closes the gaps.

`facts` reads the catalog, `wanted` asks the policy, `own` looks at the gateway's own roles and `around` at
who reaches the database without it; `compare` puts them together for ``strongroom check --grants``.
"""
