"""JSON Schemas of the YAML files, so that editors complete, explain and check what one types.

Draft 7, which the YAML language server knows best. They are lenient where `adapter check` knows
better: an overlay says only what differs, so nothing is required, and `null` or `off` stands
anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapter.mapping.editor.alerts import alerts_document
from adapter.mapping.editor.mapping import mapping_document
from adapter.mapping.editor.others import (
    contract_document,
    names_document,
    rules_document,
    topics_document,
)
from adapter.mapping.schema import Schema

FOLDER = "editor"
DOCUMENTS: Mapping[str, Callable[[Schema], dict[str, Any]]] = {
    "mapping": mapping_document,
    "contract": contract_document,
    "topics": topics_document,
    "names": names_document,
    "rules": rules_document,
    "alerts": alerts_document,
}
"""Which files there is help for; each lies in `editor/<name>.schema.json` beside the mappings."""
