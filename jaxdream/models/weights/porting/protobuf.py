"""Protobuf messages that are described at run time, field by field, without generated code.

Only the fields that are read are described; all others of a file are skipped.
"""

from collections.abc import Mapping
from typing import Any

# Message: field name -> (number, type). A type is a scalar's or a message's name, after "repeated"
# where there may be several.
Messages = Mapping[str, Mapping[str, tuple[int, str]]]


def message_class(package: str, messages: Messages, root: str) -> Any:
    """The class of the message ``root``.

    Args:
        package: a name of its own for each kind of file.
        messages: ``root`` and all messages inside it. Repeated numbers are packed.
        root: the name of the message that a file is.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for name, (number, text) in fields.items():
            many = text.startswith("repeated ")
            kind = text.removeprefix("repeated ")
            field = message.field.add(name=name, number=number)
            field.label = field_type.LABEL_REPEATED if many else field_type.LABEL_OPTIONAL
            if kind in messages:
                field.type, field.type_name = field_type.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                field.type = getattr(field_type, f"TYPE_{kind.upper()}")
                field.options.packed = many and kind not in ("string", "bytes")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{root}"))
