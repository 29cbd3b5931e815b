"""Types at a program that runs on a terminal of its own, and prints what the terminal showed.

conversation.py PROGRAM ARGUMENT…, with {"steps": [[EXPECTED, TYPED], …]} on standard input: each text
is typed as soon as the terminal has shown what is expected, at the end of what it has shown so far.
Ends with the program's exit status, or with 128 and the number of the signal that ended it.
"""

import json
import os
import pty
import select
import signal
import sys
import time

PATIENCE = 20.0


def main(arguments):
    steps = json.load(sys.stdin)["steps"]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(arguments[0], arguments)
    shown = ""
    deadline = time.monotonic() + PATIENCE
    while True:
        if steps and shown.endswith(steps[0][0]):
            os.write(terminal, steps.pop(0)[1].encode())
            shown += "\n"
        if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            os.kill(child, signal.SIGKILL)
            sys.stderr.write(f"waited in vain for {steps[:1]} or the end\n")
            break
        try:
            data = os.read(terminal, 4096)
        except OSError:
            # What Linux says where the last process has closed a terminal.
            break
        if not data:
            break
        shown += data.decode(errors="replace")
    sys.stdout.write(shown)
    status = os.waitpid(child, 0)[1]
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
