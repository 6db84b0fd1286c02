"""The exit codes of the command line; docs/command_line.md has the table of ``MEANINGS``."""

DONE = 0
FAILED = 1
BAD_INPUT = 2
SOME_FAILED = 3
INTERRUPTED = 130

MEANINGS = {
    DONE: "done",
    FAILED: "standard output is closed or full, or an error in jaxdream itself: its line names a "
    "report",
    BAD_INPUT: "bad input",
    SOME_FAILED: "some pictures of many failed",
    INTERRUPTED: "interrupted",
}
