"""The pages: the database for people with a browser, through Datasette. See docs/web.md.

`server` is the web server on its socket (the only user of uvicorn); `site` and `hooks` are Datasette with our database,
templates and routes (the only users of datasette); `guard` is what every answer carries and no request may do; `pages` and
`questions` turn a request into a template and its values; `wording` is how charts, times and texts are shown, pure.
"""

__all__: list[str] = []
