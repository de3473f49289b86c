"""Pseudonyms in the place of what names a person."""

import hmac
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from anthropic_lake import strict_json
from anthropic_lake.errors import SecretError, hide
from anthropic_lake.schema.table import EXTRA, Column, Table, field_path
from anthropic_lake.schema.types import JSON

_MIN_KEY_CHARS = 32
_ADVICE = (
    "make one with `openssl rand -hex 32`, keep a copy, and store it as pseudonym_key in the "
    'secret\'s JSON, {"api_key": "sk-ant-admin...", "pseudonym_key": "..."}; on a laptop set '
    "PSEUDONYM_KEY"
)
_DIGITS = 16
_MARKED_TEXT = "anthropic-lake"

# Lengths are bounded so that no text takes long. The second way catches what RFC 5322 allows
# before the @ and hardly anybody uses.
_ADDRESS = re.compile(r"(?:\w[\w.!#$%&'*+^`{}~-]{0,63}|[^\s@])@[\w-]+(?:\.[\w-]+)+")
_NAME_IN_PATH = re.compile(r"(?:[^.\\]|\\.)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Replace = Callable[[str], str]


class Pseudonyms:
    """Replaces what names a person: the same name is the same pseudonym wherever it stands.

    Args:
        key: The key, without which nothing leads back; from now on no error shows it.

    Attributes:
        mark: The pseudonym of a fixed text: tells by which key others were made.

    Raises:
        SecretError: There is no key, or it is too short.
    """

    def __init__(self, key: str) -> None:
        key = key.strip()
        hide(key)
        if not key:
            raise SecretError(f"pseudonyms need a key, and there is no pseudonym key: {_ADVICE}")
        if len(key) < _MIN_KEY_CHARS:
            problem = f"the pseudonym key has fewer than {_MIN_KEY_CHARS} characters"
            raise SecretError(f"{problem}, so it could be guessed: {_ADVICE}")
        self._key = key.encode()
        self.mark = self.of(_MARKED_TEXT)

    def of(self, name: str) -> str:
        """Return the pseudonym of a name or an e-mail address, whose case does not matter."""
        digest = hmac.digest(self._key, name.lower().encode(), "sha256")
        return f"p_{digest.hex()[:_DIGITS]}"

    def of_rows(self, table: Table, rows: pa.Table) -> pa.Table:
        """Return rows with pseudonyms; null stays null.

        A value that names a person is replaced whole. In every other text, a JSON text too, the
        e-mail addresses are. In JSON the text of a field that is called as one that names a person
        is such a value.

        Args:
            table: The table whose columns the rows have.
            rows: The rows.
        """
        arrays = [
            _mapped(rows[column.name], self._replacement(table, column))
            if column.type.arrow == pa.string()
            else rows[column.name]
            for column in table.all_columns
        ]
        return pa.Table.from_arrays(arrays, schema=rows.schema)

    def _replacement(self, table: Table, column: Column) -> Replace:
        """Return the function that replaces a value of a column."""
        if column.personal:
            return partial(self._in_personal, column)
        if column.type is not JSON:
            return self._in_text
        by_field = {
            path.rpartition(".")[2]: personal
            for personal in table.personal_columns
            for path in personal.paths
        }
        return partial(self._in_extra if column is EXTRA else self._in_json, by_field)

    def _in_personal(self, column: Column, value: str) -> str:
        """Return the pseudonym of a value that names a person."""
        return self.of(value) if column.names_person(value) else self._in_text(value)

    def _in_text(self, text: str) -> str:
        """Return a text with pseudonyms for the e-mail addresses in it."""
        if "@" not in text:
            return text
        return _ADDRESS.sub(lambda match: self.of(match[0]), text)

    def _in_json(self, by_field: Mapping[str, Column], text: str) -> str:
        """Return a JSON text with pseudonyms.

        Args:
            by_field: The columns that name people by the field that they read.
            text: The text, as the product writes it.
        """
        if not _may_name_people(by_field, text):
            return text
        return strict_json.text_of(self._in_value(by_field, strict_json.value(text.encode())))

    def _in_extra(self, by_field: Mapping[str, Column], text: str) -> str:
        """Return the text of `extra` with pseudonyms, its paths too."""
        if not _may_name_people(by_field, text):
            return text
        fields = {
            self._in_path(path): self._in_value(by_field, value, path.rpartition(".")[2])
            for path, value in strict_json.value(text.encode()).items()
        }
        return strict_json.text_of(fields)

    def _in_path(self, path: str) -> str:
        """Return a dotted path of `extra` with pseudonyms for the addresses among its names."""
        return _NAME_IN_PATH.sub(
            lambda match: field_path("", self._in_text(_ESCAPED.sub(r"\1", match[0]))), path
        )

    def _in_value(self, by_field: Mapping[str, Column], value: Any, field: str = "") -> Any:  # noqa: ANN401
        """Return a value of JSON with pseudonyms.

        Args:
            by_field: The columns that name people by the field that they read.
            value: The value.
            field: Name of the field that it stands in.
        """
        match value:
            case str():
                column = by_field.get(field)
                return self._in_personal(column, value) if column else self._in_text(value)
            case list():
                return [self._in_value(by_field, item, field) for item in value]
            case dict():
                return {
                    self._in_text(name): self._in_value(by_field, member, name)
                    for name, member in value.items()
                }
        return value


def _may_name_people(by_field: Mapping[str, Column], text: str) -> bool:
    """Return whether a JSON text has to be looked through; most have not."""
    return "@" in text or any(field in text for field in by_field)


def _mapped(values: pa.ChunkedArray, replace: Replace) -> pa.ChunkedArray | pa.Array:
    """Return texts replaced, each distinct one once."""
    encoded = values.combine_chunks().dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    replaced = [replace(text) for text in distinct]
    if replaced == distinct:
        return values
    dictionary = pa.array(replaced, pa.string())
    return pa.DictionaryArray.from_arrays(encoded.indices, dictionary).dictionary_decode()
