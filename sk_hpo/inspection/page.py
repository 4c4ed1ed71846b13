"""The frame of the report: a page without scripts, for wide and narrow screens."""

__all__ = ["PAGE"]

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{name}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  margin: 0 auto; padding: 1rem; max-width: 62rem; }}
h1 {{ font-size: 1.6rem; margin: .5rem 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.15rem; margin: 2rem 0 .6rem; border-bottom: 1px solid #ddd; }}
h3 {{ font-size: 1rem; margin: 1.2rem 0 .4rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0;
  border-bottom: 1px solid #eee; font-variant-numeric: tabular-nums; }}
tbody th {{ font-weight: 600; white-space: nowrap; }}
td {{ white-space: nowrap; }}
td:last-child {{ white-space: normal; overflow-wrap: anywhere; min-width: 11rem; }}
img {{ display: block; max-width: 100%; height: auto; margin: 0 auto; }}
pre {{ overflow-x: auto; font-size: .8rem; background: #f6f6f6; padding: .6rem; }}
summary {{ cursor: pointer; overflow-wrap: anywhere; }}
footer, .none {{ color: #666; font-size: .85rem; }}
@media (max-width: 40rem) {{
  body {{ padding: .6rem; }}
  img {{ max-width: none; width: 34rem; }}
}}
</style>
</head>
<body>
<h1>{name}</h1>
{body}
<footer><p>Written by sk_hpo {version}.</p></footer>
</body>
</html>
"""
