"""What the name of a column says about what is in it: a table for people to read, and to add a line to.

A name is taken apart into words (``customerEmail``, ``customer_email`` and ``CUSTOMER-EMAIL`` are the same
two), and the first clue whose words stand next to each other in it counts. Used by ``suggest``.
"""

import re
from dataclasses import dataclass

from strongroom.config import ColumnName


@dataclass(frozen=True, slots=True)
class Clue:
    """One line of the table."""

    what: str  # the kind of data, for people
    words: str  # alternatives; the words of one stand next to each other in the column's name
    looked_up: bool = False  # applications find rows by it, so equal values should stay equal
    doubt: str = ""  # why it is left to the operator; empty where it is chosen
    tables: str = ""  # where given, a word of the table's name must be one of these

    def fits(self, words: tuple[str, ...], table: tuple[str, ...]) -> bool:
        """Whether one of the alternatives is in a name of these words."""
        if self.tables and not set(self.tables.split("|")).intersection(table):
            return False
        name = f" {' '.join(words)} "
        found = [alternative for alternative in self.words.split("|") if f" {alternative} " in name]
        # address_id is a reference to an address, tax_id is the datum itself.
        return any(words[-1] not in _REFERENCES or one.endswith(words[-1]) for one in found)


_HASH = "a hash hides the password already; seal it where hashes are old or weak"
_SORTED = "lists are often sorted by it or searched for a part of it, which sealed values do not allow"
_FREE = "only you know whether personal data is written into it"
_COUNTED = "queries often compute with it, which sealed values do not allow"
_PEOPLE = (
    "user|users|customer|customers|client|clients|person|persons|people|employee|employees|member|members"
)
_REFERENCES = ("id", "ids", "uuid", "fk", "ref")

# fmt: off
CLUES: tuple[Clue, ...] = (
    Clue("password or its hash", "password|passwd|pwd", doubt=_HASH),
    Clue("e-mail address", "email|e mail|mail", looked_up=True),
    Clue("network address", "ip|mac address|remote addr|remote address|client addr", doubt=_FREE),
    Clue("phone number", "phone|telephone|mobile|cell|fax|msisdn|tel", looked_up=True),
    Clue("bank account", "iban|bban|bank account|account number|account no|routing number|sort code"),
    Clue("card number", "card number|card no|cc number|credit card|debit card|card|pan|cvv|cvc"),
    Clue("tax number", "tax id|tax number|tax no|vat|vat id|tin|ein|itin|steuer id", looked_up=True),
    Clue("identity number", "ssn|social security|national id|nin|nino|bsn|cpf|ahv|personnummer|aadhaar"
         "|passport|driver license|drivers license|driving licence|identity number", looked_up=True),
    Clue("date of birth", "birth|dob|birthday|birthdate|born"),
    Clue("token", "token|session id|session key", looked_up=True),
    Clue("secret", "secret|api key|apikey|private key|otp|totp|recovery code|recovery codes|credentials"),
    Clue("health data", "diagnosis|medical|health|allergy|allergies|blood type|prescription|disability"),
    Clue("fact of private life", "religion|ethnicity|sexual orientation|political party|criminal record"),
    Clue("postal address", "street|address|addr|address1|address2"),
    Clue("place", "city|town|zip|zipcode|postcode|postal code", doubt=_SORTED),
    Clue("position", "latitude|longitude|lat|lon|lng|geo|location", doubt=_COUNTED),
    Clue("name of a person", "first name|last name|surname|given name|family name|full name|maiden name"
         "|middle name|firstname|lastname|fullname|holder name|contact name|customer name", doubt=_SORTED),
    Clue("name of a person", "name", doubt=_SORTED, tables=_PEOPLE),
    Clue("income", "salary|wage|income|net worth|credit score", doubt=_COUNTED),
    Clue("free text", "note|notes|comment|comments|remark|remarks|message|body|memo", doubt=_FREE),
)

# Last words that make of a name something about the data: email_verified, phone_type, token_expires_at.
_ABOUT = frozenset({
    "verified", "confirmed", "enabled", "optin", "sent", "type", "kind", "count", "status", "valid",
    "bounced", "at", "on", "expires", "expiry", "format", "template", "subject",
    "preference", "preferences", "digest",
})
# fmt: on
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


def clue_for(column: ColumnName) -> Clue | None:
    """The first clue that fits a column's name."""
    words = _words(column.column)
    if not words or words[-1] in _ABOUT:
        return None
    return next((clue for clue in CLUES if clue.fits(words, _words(column.table))), None)


def _words(name: str) -> tuple[str, ...]:
    """The words of an identifier, in small letters; ``address1`` is one, as ``address_1`` is two."""
    return tuple(word.lower() for word in _WORD.findall(name))
