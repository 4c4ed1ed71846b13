"""Code of a page that draws: it is shown, run by the build, and its figures are put below it.

    ```{plot}
    :alt: What there is to be seen

    search = ...
    SearchHistoryDisplay.from_search(search)
    ```

The blocks of a page share their names. (matplotlib's own directive needs reStructuredText.)
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

FOLDER = "generated/plots"  # seen from docs/


def draw(code: Any, namespace: dict) -> list[bytes]:
    """Run code and return the figures that are open then, as PNG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    try:
        exec(code, namespace)
        return list(map(_png, pyplot.get_fignums()))
    finally:
        pyplot.close("all")


def _png(number: int) -> bytes:
    from matplotlib import pyplot

    buffer = io.BytesIO()
    pyplot.figure(number).savefig(buffer, dpi=110, bbox_inches="tight")
    return buffer.getvalue()


def setup(app):
    from docutils import nodes
    from docutils.parsers.rst import directives
    from sphinx.util.docutils import SphinxDirective

    class Plot(SphinxDirective):
        """Runs its code and shows it with its figures."""

        has_content = True
        option_spec = {"alt": directives.unchanged}  # noqa: RUF012

        def run(self):
            page = self.env.docname.replace("/", "-")
            count = self.env.new_serialno("plot")
            namespace = self.env.temp_data.setdefault("plot names", {"__name__": page})
            code = "\n".join(self.content)
            try:
                with redirect_stdout(io.StringIO()):  # which the page has below
                    pictures = draw(code, namespace)
            except Exception as exception:
                raise self.error(f"{type(exception).__name__}: {exception}") from exception
            shown = nodes.literal_block(code, code, language="python")
            names = (f"{page}-{count}-{i}.png" for i in range(len(pictures)))
            return [shown, *map(self._image, names, pictures)]

        def _image(self, name: str, png: bytes):
            path = Path(self.env.srcdir) / FOLDER / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png)
            up = "../" * self.env.docname.count("/")
            return nodes.image(uri=f"{up}{FOLDER}/{name}", alt=self.options.get("alt", ""))

    app.add_directive("plot", Plot)
    return {"parallel_read_safe": True}
