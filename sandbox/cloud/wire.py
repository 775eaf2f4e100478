"""EC2's wire format: form fields in (`Filter.1.Value.2=x`), XML out."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"

# What a form or an XML document says: texts in named fields and lists.
Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"


def parse_form(body: str) -> dict[str, Tree]:
    """Returns the fields of a query request as a tree; numbered fields become lists."""
    root: dict[str, Tree] = {}
    for name, value in parse_qsl(body, keep_blank_values=True):
        *path, last = name.split(".")
        node = root
        for part in path:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                break
            node = child
        node[last] = value
    return {name: _lists(value) for name, value in root.items()}


def to_xml(root: str, tree: dict[str, Tree]) -> bytes:
    """Returns the tree as an EC2 document; list members become `item` elements."""
    element = _element(root, tree)
    if root != "Response":  # errors are the one document without the namespace
        element.set("xmlns", NAMESPACE)
    document: bytes = ET.tostring(element, encoding="utf-8", xml_declaration=True)
    return document


def _lists(node: Tree) -> Tree:
    if not isinstance(node, dict):
        return node
    fields = {name: _lists(value) for name, value in node.items()}
    if fields and all(name.isdecimal() for name in fields):
        return [fields[name] for name in sorted(fields, key=int)]
    return fields


def _element(name: str, tree: Tree) -> ET.Element:
    element = ET.Element(name)
    if isinstance(tree, str):
        element.text = tree
    elif isinstance(tree, list):
        element.extend(_element("item", member) for member in tree)
    else:
        element.extend(_element(field, value) for field, value in tree.items())
    return element
