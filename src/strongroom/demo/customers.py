"""Customers who do not exist: the same ten thousand each time, and believable.

Used by the demo. Emails are under domains that are reserved (RFC 2606); IBANs have valid check digits
(ISO 13616) and belong to a bank that does not exist.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

FIRST_NAMES = """
Amara Anna Ayşe Bruno Chen Clara David Elena Emma Farid Felix Fatima Greta Hugo Ines Ivan Jana Jonas Karim Lea
Leon Lina Luca Maja Marek Mia Milan Nadia Noah Nora Olga Omar Paula Pavel Petra Rosa Ruth Samir Sara Sofia
Tarek Tomas Uma Viktor Wanda Yara Yusuf Zoë
"""
LAST_NAMES = """
Abel Bauer Becker Berg Brandt Costa Dimitrov Fischer Frank García Haddad Hansen Horvat Huber Ivanova Jansen
Kaya Keller Klein Kovač Kowalski Krüger Lang Lehmann Li Lopez Maier Meyer Moreau Müller Nguyen Novak Okafor
Peters Rossi Roth Santos Schmidt Schulz Silva Sommer Vogel Wagner Weber Winter Wolf Yılmaz
"""
CITIES = """
Aachen Berlin Bern Bremen Dresden Essen Gent Graz Hamburg Jena Kiel Köln Leipzig Linz Lyon Mainz München Oslo
Porto Prag Riga Ulm Utrecht Wien Zürich
"""
DOMAINS = ("example.com", "example.net", "example.org", "mail.example", "post.example")
PLAIN = str.maketrans("äöüéíáčşëıñ", "aoueiacsein")
SEED = 20_261_101


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of the demo's table."""

    id: int
    name: str
    email: str
    iban: str
    born: date
    city: str


def customers(count: int) -> Iterator[Customer]:
    """The first ``count`` customers; emails are unique."""
    draw = random.Random(SEED)  # noqa: S311  # people of a demo, not secrets
    first_names, last_names, cities = FIRST_NAMES.split(), LAST_NAMES.split(), CITIES.split()
    for number in range(1, count + 1):
        first, last = draw.choice(first_names), draw.choice(last_names)
        local = f"{first}.{last}".lower().translate(PLAIN)
        yield Customer(
            number,
            f"{first} {last}",
            f"{local}{number}@{draw.choice(DOMAINS)}",
            _iban(draw.randrange(10**10)),
            date(1940, 1, 1) + timedelta(days=draw.randrange(65 * 365)),
            draw.choice(cities),
        )


def _iban(account: int) -> str:
    """A German IBAN of bank 00000000; check digits as in ISO 7064, MOD 97-10, where "DE00" is 131400."""
    number = f"00000000{account:010d}"
    return f"DE{98 - int(number + '131400') % 97:02d}{number}"
