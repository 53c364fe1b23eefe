"""What models write as Markdown, read once for every channel. Pure.

`blocks` is the way in: a text to blocks and pieces, of which each channel writes its own form. Its parser (`parser`) is CommonMark with
tables, changed where that would take away more than a mark (`escapes`, `emphasis`, `addresses`, `fences`).
"""
