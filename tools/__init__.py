"""Ready-made tools, one family a file.

Every family offers plain functions that are tools, grouped so that they can be handed to an agent or a toolbox:

=====================  ==================================================  ==========================
family                 what to hand over                                   extra package
=====================  ==================================================  ==========================
`agentkit.tools.maths` ``TOOLS``: calculator and symbolic maths            sympy (symbolic part only)
`agentkit.tools.units` ``TOOLS``: unit conversion                          pint
`agentkit.tools.dates` ``TOOLS`` or ``date_tools(clock=…)``: calendar      none
`agentkit.tools.text`  ``TOOLS``: text, JSON and CSV                       google-re2, jmespath
`agentkit.tools.sql`   ``sqlite_tools(path)``: one SQLite database         none
`agentkit.tools.files` ``file_tools(root)``: files below one folder        google-re2
`agentkit.tools.web`   ``http_tools(allow=[…])``: pages of allowed hosts   httpx2
=====================  ==================================================  ==========================

Extra packages are imported when a tool first needs them, so that a family that nobody uses costs nothing.
`agentkit.tools.selection` is not a family: it chooses, among very many tools, those that a task may need.
A tool that is given something it cannot use raises `agentkit.errors.ModelRetry` with a message for the model.
"""

if __name__ != "agentkit.tools":
    raise ImportError("import agentkit.tools, not tools")
