"""Request bodies, read strictly: what two readers could read differently is refused, and every mistake has its place."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any, TypeVar

from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.types.serialization import LitestarEncodableType
from litestar.typing import FieldDefinition

from crossdock.errors import MappingError
from crossdock.sdk.decode import decode

T = TypeVar("T")


class Strict(AbstractDTO[T]):
    """Reads a JSON body into the type it is for, by `sdk.decode`; a mistake is a MappingError that names the field."""

    def decode_bytes(self, value: bytes) -> Any:
        if self.asgi_connection.headers.get("content-encoding", "identity") not in ("identity", ""):
            raise MappingError("content-encoding: send the body uncompressed.", field="content-encoding")
        return decode(value, self.model_type)

    def decode_builtins(self, value: dict[str, Any]) -> Any:
        raise MappingError("body: send it as application/json.", field="body")

    def data_to_encodable_type(self, data: T | Collection[T]) -> LitestarEncodableType:
        return data  # type: ignore[return-value]  # nothing is ever sent through this

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Nothing to prepare: the decoder is made when it is first used."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        found: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return found
