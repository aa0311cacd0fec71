"""Mapping files -> compiled Mappings, or every fault in them at once.

Two steps, so that later directories can be laid over earlier ones in between:
`read` makes YAML trees that remember their files, `compile_sources` makes plans of trees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from adapter.errors import Fault, MappingFileError
from adapter.mapping.compiler import PlatformCompiler
from adapter.mapping.mapper import Mappings, Plan
from adapter.mapping.samples import Sample
from adapter.mapping.schema import read_schema
from adapter.strictyaml import Node, parse

SCHEMA_FILE = "schema.yml"
PROFILE_FILE = "platform.yml"


@dataclass(slots=True)
class Sources:
    """The trees of a directory: the schema, and per platform its mapping files by name.

    `texts` holds the text of every file, to find exact columns in.
    """

    directory: Path
    schema: Node | None = None
    platforms: dict[str, dict[str, Node]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def load(directory: Path, *, contract: Path | None = None) -> Mappings:
    """Read and compile a directory of mappings; raises MappingFileError with all faults.

    `contract` is the schema file for a directory that has none of its own.
    """
    faults: list[Fault] = []
    mappings = compile_sources(read(directory, faults, contract), faults)
    if faults or mappings is None:
        raise MappingFileError(dict.fromkeys(faults))
    return mappings


def read(directory: Path, faults: list[Fault], contract: Path | None = None) -> Sources:
    """The YAML trees of all files below a directory."""
    sources = Sources(directory)
    schema = directory / SCHEMA_FILE
    if contract is not None and not schema.is_file():
        schema = contract
    if schema.is_file():
        sources.schema = _tree(schema, sources, faults)
    else:
        faults.append(Fault(str(schema), 1, 1, "there is no such file"))
    for folder in sorted(each for each in _children(directory) if each.is_dir()):
        names = [each for each in sorted(_children(folder)) if each.suffix in (".yml", ".yaml")]
        if not names or folder.name.startswith("."):
            continue
        trees = sources.platforms.setdefault(folder.name, {})
        for file in names:
            if file.name != PROFILE_FILE and (tree := _tree(file, sources, faults)):
                trees[file.name] = tree
    return sources


def compile_sources(sources: Sources, faults: list[Fault]) -> Mappings | None:
    """Everything that the trees say; None when there is no contract to hold them against."""
    schema = read_schema(sources.schema, faults) if sources.schema else None
    if schema is None:
        return None
    warnings: list[Fault] = []
    plans: dict[str, tuple[Plan, ...]] = {}
    samples: list[Sample] = []
    for platform, trees in sources.platforms.items():
        compiler = PlatformCompiler(platform, schema, sources.texts, faults, warnings)
        plans[platform], of_platform = compiler.compile(trees.values())
        samples += of_platform
    return Mappings(schema, plans, tuple(samples), tuple(sorted(warnings)))


def _children(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _tree(file: Path, sources: Sources, faults: list[Fault]) -> Node | None:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        faults.append(Fault(str(file), 1, 1, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        faults.append(Fault(str(file), 1, 1, f"is not UTF-8: byte {error.start + 1}"))
    else:
        sources.texts[str(file)] = text
        before = len(faults)
        tree = parse(text, str(file), faults)
        if tree is None and len(faults) == before:
            faults.append(Fault(str(file), 1, 1, "the file is empty"))
        return tree
    return None
