"""The page `/docs`: every operation in plain HTML, and Swagger UI over it where it can be fetched.

It needs nothing from elsewhere to be read: on a machine without a network the list stays. What
comes from elsewhere is one version, known by its digest: a script here may do what its reader may.
"""

import re
from html import escape
from string import Template

from libs.web.openapi import Operation, Schema, fields, operations

_UI = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0/swagger-ui"
_SCRIPT = "sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9"
_STYLE = "sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I"
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
body { font: 15px/1.5 sans-serif; margin: 0 }
.plain { max-width: 60em; margin: 2em auto; padding: 0 1em }
.plain dt { margin-top: 1em; font: bold 1em monospace }
</style>
<div id="ui"><div class="plain">
<h1>$title</h1>
<p>$about</p>
<p>What stands in [brackets] may be left out. A body is JSON, <code>{}</code> where all of it is,
and says so: <code>Content-Type: application/json</code>. For programs:
<a href="$document">$document</a></p>
$body
</div></div>
<script async src="$ui-bundle.js" integrity="$script" crossorigin="anonymous"
 onload="show()"></script>
<script>
function show() {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.integrity = "$style";
  style.crossOrigin = "anonymous";
  style.href = "$ui.css";
  document.head.append(style);
  SwaggerUIBundle({url: "$document", dom_id: "#ui", deepLinking: true});
}
</script>
</html>
""")


def page(schema: Schema, document: str) -> str:
    """Return the page for a document that is to be had at the address `document`."""
    tags: dict[str, list[str]] = {}
    for operation in operations(schema):
        tags.setdefault(operation[2]["tags"][0], []).append(_entry(schema, operation))
    body = "\n".join(
        f"<h2>{escape(tag)}</h2>\n<dl>\n{''.join(entries)}</dl>" for tag, entries in tags.items()
    )
    info = schema["info"]
    return _PAGE.substitute(
        title=escape(info["title"]), about=_marked(info["description"]), body=body,
        document=escape(document), ui=_UI, script=_SCRIPT, style=_STYLE,
    )  # fmt: skip


def _entry(schema: Schema, operation: Operation) -> str:
    method, path, said = operation
    lines = [said["summary"] + ".", said.get("description", "")]
    for kind, title in (("query", "Query"), ("header", "Header")):
        named = [
            (one["name"].title() if kind == "header" else one["name"], one["required"])
            for one in said.get("parameters", ())
            if one["in"] == kind
        ]
        lines.append(_listed(title, named))
    contents = said.get("requestBody", {}).get("content", {}).values()
    lines += [_listed("Body", list(fields(schema, one["schema"]))) for one in contents]
    told = "<br>".join(_marked(line) for line in lines if line)
    return f"<dt>{method.upper()} {escape(path)}</dt>\n<dd>{told}</dd>\n"


def _marked(text: str) -> str:
    """Return a text of the document, which is Markdown, as HTML: nothing but `code` is marked."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _listed(title: str, named: list[tuple[str, bool]]) -> str:
    shown = ", ".join(name if must else f"[{name}]" for name, must in named)
    return f"{title}: {shown}" if shown else ""
