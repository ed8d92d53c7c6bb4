"""The AsyncAPI 3 document of the topics, from the schema files: `python -m libs.codec.asyncapi`."""

import sys
from typing import Any

from libs.codec.lock import Lock, latest, read_lock
from libs.codec.registry import LOCK
from libs.codec.schemas import SERVICES, Schema, Schemas, inlined, load, text

PARTITIONS = 8
FORMAT = "application/vnd.apache.avro+json;version=1.9.0"
_HEADERS = {
    "ce_specversion": "CloudEvents, binary mode: 1.0",
    "ce_id": "The event's id, a UUID.",
    "ce_source": "/lonja/<service>",
    "ce_type": "The full name of the record in the value.",
    "ce_time": "When it was recorded, RFC 3339.",
    "traceparent": "W3C trace context.",
    "lonja": "96 hexadecimal digits: pseq (16), version (16), cause (32), correlation (32).",
}


def document(schemas: Schemas, lock: Lock) -> dict[str, Any]:
    """Return the document; each message's payload is the whole schema, under its id."""
    topics = {s: f"{s}.events" for s in SERVICES if s != "kernel"}
    messages = {
        key: _message(name, version, schema, lock)
        for name in schemas.names()
        for version, key, schema in _versions(name, schemas, lock)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Lonja",
            "version": "1",
            "description": "The events that Lonja's services publish on Apache Kafka, keyed by "
            "stream id. A value is 0, four bytes of schema id, and Avro.",
        },
        "defaultContentType": "application/vnd.apache.avro",
        "channels": {topic: _channel(s, topic, schemas, lock) for s, topic in topics.items()},
        "operations": {
            f"publish-{service}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": f"What {service} decides, in each stream's order.",
            }
            for service, topic in topics.items()
        },
        "components": {
            "messages": messages,
            "schemas": {
                "headers": {
                    "type": "object",
                    "required": list(_HEADERS),
                    "properties": {
                        k: {"type": "string", "description": v} for k, v in _HEADERS.items()
                    },
                }
            },
        },
    }


def published(document: dict[str, Any], name: str) -> Schema | None:
    """Return the whole schema of an event as the document has it."""
    message = document["components"]["messages"].get(_key(name))
    return message["payload"]["schema"] if message else None


def _key(name: str) -> str:
    return name.removeprefix("lonja.")


def _versions(name: str, schemas: Schemas, lock: Lock) -> list[tuple[int, str, Schema]]:
    """Return each version of an event with its key; earlier ones stand in the topics too."""
    history = sorted(schemas.history.get(name, {}).items())
    present = inlined(name, schemas.named, docs=True)
    return [
        (latest(lock, name), _key(name), present),
        *((version, f"{_key(name)}.v{version}", schema) for version, schema in history),
    ]


def _channel(service: str, topic: str, schemas: Schemas, lock: Lock) -> dict[str, Any]:
    # The kernel's own events (parking) stand in the topic of the service whose stream it is.
    names = (*schemas.events[service], *schemas.events["kernel"])
    keys = [key for name in names for _, key, _ in _versions(name, schemas, lock)]
    return {
        "address": topic,
        "messages": {
            key.partition(".")[2]: {"$ref": f"#/components/messages/{key}"} for key in keys
        },
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": PARTITIONS,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(name: str, version: int, schema: Schema, lock: Lock) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"{name.rpartition('.')[2]}, version {version}",
        "summary": schema["doc"],
        "contentType": "application/vnd.apache.avro",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"schemaFormat": FORMAT, "schema": schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The stream id."},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "bindingVersion": "0.5.0",
            }
        },
        "x-schema-version": version,
        "x-schema-id": lock[name][str(version)]["id"],
    }


if __name__ == "__main__":
    sys.stdout.write(text(document(load(), read_lock(LOCK))))
