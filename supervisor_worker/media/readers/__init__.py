"""What a child process runs to read a file that somebody sent: nothing in here is imported by the worker but the names of kinds.

`child` is the program; it sets its own limits (`confinement`), says what the file is (`kinds`) and hands it to that kind's reader. A reader
is a module with `read(content, charset, text)`: it adds to `text`, and answers what else it found, or raises Unreadable.
"""
