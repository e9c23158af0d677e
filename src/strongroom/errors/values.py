"""Values outside the declared type of their column, as PostgreSQL names them."""

from strongroom.errors.client import ClientError


class InvalidValue(ClientError):
    """A value is outside the declared type of its column; never raised itself."""

    code = "value-invalid"
    sqlstate = "22000"  # data_exception
    remedy = ""  # as in PostgreSQL


class InvalidText(InvalidValue):
    """Its text is not one that the type accepts."""

    code = "value-text"
    sqlstate = "22P02"  # invalid_text_representation


class InvalidBinary(InvalidValue):
    """Its binary form is malformed."""

    code = "value-binary"
    sqlstate = "22P03"  # invalid_binary_representation


class InvalidEncoding(InvalidValue):
    """It is not UTF-8, or holds a NUL."""

    code = "value-encoding"
    sqlstate = "22021"  # character_not_in_repertoire


class InvalidUnicode(InvalidValue):
    """A Unicode escape that jsonb cannot hold."""

    code = "value-unicode"
    sqlstate = "22P05"  # untranslatable_character


class InvalidDatetime(InvalidValue):
    """It is not a date, time or interval."""

    code = "value-datetime"
    sqlstate = "22007"  # invalid_datetime_format


class DatetimeOverflow(InvalidValue):
    """A date, time or interval outside the range of the type, or a field outside its own."""

    code = "value-datetime-range"
    sqlstate = "22008"  # datetime_field_overflow


class IntervalOverflow(InvalidValue):
    """An interval outside the range of the type, or a field outside its own."""

    code = "value-interval-range"
    sqlstate = "22015"  # interval_field_overflow


class ValueOutOfRange(InvalidValue):
    """A number outside the range of the type."""

    code = "value-range"
    sqlstate = "22003"  # numeric_value_out_of_range


class ZoneOverflow(InvalidValue):
    """A time zone further from UTC than PostgreSQL allows."""

    code = "value-zone-range"
    sqlstate = "22009"  # invalid_time_zone_displacement_value


class InvalidHex(InvalidValue):
    """The hexadecimal form of a bytea with an odd number of digits, or with something else among them."""

    code = "value-hex"
    sqlstate = "22023"  # invalid_parameter_value


class ValueTooLong(InvalidValue):
    """Longer than varchar(n) or char(n) allows."""

    code = "value-length"
    sqlstate = "22001"  # string_data_right_truncation


class InvalidArray(InvalidValue):
    """An array whose dimensions do not agree."""

    code = "value-array"
    sqlstate = "2202E"  # array_subscript_error


class ArrayTooLarge(InvalidValue):
    """An array of more dimensions or elements than PostgreSQL allows."""

    code = "value-array-limit"
    sqlstate = "54000"  # program_limit_exceeded


class TypeMismatch(InvalidValue):
    """It is of a type that PostgreSQL does not convert to the column's by assignment, or that we do not."""

    code = "value-type"
    sqlstate = "42804"  # datatype_mismatch
